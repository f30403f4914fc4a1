"""The rundown: what television and radio have in common. No channel itself: it has no `open_channel`."""
