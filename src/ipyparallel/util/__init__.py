"""Small functions that other packages import from here, by subject."""

from ..serialize.functional import interactive
from .addresses import (
    disambiguate_ip_address,
    disambiguate_url,
    ip_for_host,
    is_ip,
    is_url,
    select_random_ports,
    split_url,
    validate_url,
    validate_url_container,
)
from .dask_worker import become_dask_worker, stop_distributed_worker
from .dates import (
    ISO8601,
    _ensure_tzinfo,
    _parse_date,
    compare_datetimes,
    ensure_timezone,
    extract_dates,
    utc,
    utcnow,
)
from .logs import integer_loglevel, local_logger, log_errors
from .mappings import Namespace, ReverseDict, int_keys
from .namespace import _execute, _pull, _push
from .processes import set_hwm, shlex_join, signal_children
from .profiles import (
    _all_profile_dirs,
    _default_profile_dir,
    _locate_profiles,
    abbreviate_profile_dir,
)
from .progress import progress

__all__ = [
    "ISO8601",
    "Namespace",
    "ReverseDict",
    "_all_profile_dirs",
    "_default_profile_dir",
    "_ensure_tzinfo",
    "_execute",
    "_locate_profiles",
    "_parse_date",
    "_pull",
    "_push",
    "abbreviate_profile_dir",
    "become_dask_worker",
    "compare_datetimes",
    "disambiguate_ip_address",
    "disambiguate_url",
    "ensure_timezone",
    "extract_dates",
    "int_keys",
    "interactive",
    "integer_loglevel",
    "ip_for_host",
    "is_ip",
    "is_url",
    "local_logger",
    "log_errors",
    "progress",
    "select_random_ports",
    "set_hwm",
    "shlex_join",
    "signal_children",
    "split_url",
    "stop_distributed_worker",
    "utc",
    "utcnow",
    "validate_url",
    "validate_url_container",
]
