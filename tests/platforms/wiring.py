"""How the channels are aimed at the stand-ins that one program serves: the settings of the demo."""

from tests.platforms import facebook, mastodon, telegram, viber, youtube


def settings_for(base_url: str) -> dict[str, str]:
    """Environment variables of the channels that have a stand-in, all served below `base_url`."""
    return {
        "TELEGRAM_API_URL": f"{base_url}/telegram",
        "TELEGRAM_TOKEN": telegram.TOKEN,
        "TELEGRAM_CHAT": telegram.CHAT,
        "TELEGRAM_PER_CHAT": "100",
        "TELEGRAM_PER_GROUP": "10000",
        "FACEBOOK_API_URL": f"{base_url}/facebook",
        "FACEBOOK_PAGE_ID": facebook.PAGE_ID,
        "FACEBOOK_PAGE_TOKEN": facebook.PAGE_TOKEN,
        "FACEBOOK_APP_ID": facebook.APP_ID,
        "FACEBOOK_CALLS_PER_MINUTE": "10000",
        "FACEBOOK_LISTING_DELAY": "1",
        "FACEBOOK_LOOK_EVERY": "1",
        "YOUTUBE_API_URL": f"{base_url}/youtube",
        "YOUTUBE_TOKEN_URL": f"{base_url}/youtube/token",
        "YOUTUBE_CLIENT_ID": youtube.CLIENT_ID,
        "YOUTUBE_CLIENT_SECRET": youtube.CLIENT_SECRET,
        "YOUTUBE_REFRESH_TOKEN": youtube.REFRESH_TOKEN,
        "YOUTUBE_LISTING_DELAY": "1",
        "YOUTUBE_LOOK_EVERY": "1",
        "MASTODON_URL": f"{base_url}/mastodon",
        "MASTODON_TOKEN": mastodon.TOKEN,
        "MASTODON_CALLS_PER_MINUTE": "10000",
        "VIBER_API_URL": f"{base_url}/viber",
        "VIBER_TOKEN": viber.TOKEN,
        "VIBER_POSTS_PER_MINUTE": "10000",
        "VIBER_PAUSE": "1",
    }
