"""The version of this package, as text and as a tuple."""

__version__ = "10.0.0.dev0"

#: ``(major, minor, patch)``, then the pre-release and development parts, if any.
version_info = (10, 0, 0, "dev0")
