"""The web page: photos, videos and the live picture in a browser, behind a token."""
