"""Files that come from the network: where from, how they are fetched, and what they must be."""

from hyenadna.downloads.fetch import Downloader, Wishes
from hyenadna.downloads.probe import check_available
from hyenadna.downloads.recorded import Recorded
from hyenadna.downloads.table import read_sources
from hyenadna.downloads.transfer import Patience

__all__ = ["Downloader", "Patience", "Recorded", "Wishes", "check_available", "read_sources"]
