"""The site: static pages, rubrics, feeds and a sitemap below one folder, made from the database alone."""

from services.publisher.channels.site.channel import SiteChannel, open_channel, rebuild_site

__all__ = ["SiteChannel", "open_channel", "rebuild_site"]
