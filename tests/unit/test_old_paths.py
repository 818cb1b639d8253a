"""Modules and names that other software imports."""

import importlib
import subprocess
import sys

import pytest

import ipyparallel

NAMES = {
    "ipyparallel": """ALL_COMPLETED AsyncMapResult AsyncResult Client Cluster ClusterManager
        CompositeError Dependency DirectView EngineError FIRST_COMPLETED FIRST_EXCEPTION
        LoadBalancedView MultipleInstanceError ParallelFunction PrePickled Reference RemoteError
        RemoteFunction TimeoutError _NONINTERACTIVE __version__ can can_map client cluster
        controller depend dependent deserialize_object engine error interactive
        pack_apply_message parallel register_joblib_backend remote require serialize
        serialize_object traitlets uncan uncan_map unpack_apply_message use_cloudpickle use_dill
        use_pickle util version_info""",
    "ipyparallel._async": "AsyncFirst",
    "ipyparallel._version": "version_info",
    "ipyparallel.client.asyncresult": """ALL_COMPLETED AsyncMapResult AsyncResult FIRST_COMPLETED
        FIRST_EXCEPTION""",
    "ipyparallel.client.client": "Client ExecuteReply Metadata",
    "ipyparallel.client.futures": """MessageFuture future_add_done_callback future_set_exc_info
        future_set_result_unless_cancelled multi_future""",
    "ipyparallel.client.map": "Map RoundRobinMap dists is_array mappable",
    "ipyparallel.client.remotefunction": """ParallelFunction RemoteFunction getname parallel
        remote""",
    "ipyparallel.client.view": "DirectView LoadBalancedView View",
    "ipyparallel.cluster": "Cluster ClusterManager clean_cluster_files",
    "ipyparallel.cluster.app": """ALREADY_STARTED ALREADY_STOPPED IPCluster IPClusterClean
        IPClusterEngines IPClusterList IPClusterStart IPClusterStop NO_CLUSTER base_aliases
        base_flags main""",
    "ipyparallel.cluster.cluster": "Cluster ClusterManager clean_cluster_files",
    "ipyparallel.cluster.launcher": """BaseLauncher ControllerLauncher EngineLauncher
        LauncherError LocalControllerLauncher LocalEngineLauncher LocalEngineSetLauncher
        LocalProcessLauncher NotRunning PIPE ProcessStateError STDOUT UnknownStatus WINDOWS
        abbreviate_launcher_class all_launchers find_launcher_class ipcluster_cmd_argv
        ipcontroller_cmd_argv ipengine_cmd_argv local_launchers""",
    "ipyparallel.controller.app": "IPController aliases base_aliases base_flags flags main",
    "ipyparallel.controller.dependency": "Dependency depend dependent require",
    "ipyparallel.controller.dictdb": "BaseDB CompositeFilter DictDB NoData NoDB filters",
    "ipyparallel.controller.heartmonitor": "HeartMonitor",
    "ipyparallel.controller.hub": "Hub",
    "ipyparallel.controller.mongodb": "MongoDB",
    "ipyparallel.controller.sqlitedb": "SQLiteDB null_operators operators",
    "ipyparallel.controller.task_scheduler": "TaskScheduler",
    "ipyparallel.engine.app": "IPEngine aliases base_aliases base_flags flags main",
    "ipyparallel.engine.kernel": "IPythonParallelKernel",
    "ipyparallel.client._joblib": "IPythonParallelBackend",
    "ipyparallel.joblib": "register",
    "ipyparallel.serialize": "can_map uncan_map",
    "ipyparallel.serialize.canning": """CannedArray CannedBuffer CannedBytes CannedCell CannedClass
        CannedFunction CannedMemoryView CannedObject CannedPartial Reference can can_class
        can_dependent can_dict can_map can_sequence interactive istype sequence_types uncan
        uncan_dict uncan_map uncan_sequence use_cloudpickle use_dill use_pickle""",
    "ipyparallel.serialize.codeutil": "code_ctor reduce_code",
    "ipyparallel.serialize.serialize": """MAX_BYTES MAX_ITEMS PICKLE_PROTOCOL PrePickled
        deserialize_object pack_apply_message sequence_types serialize_object
        unpack_apply_message""",
    "ipyparallel.traitlets": "Launcher PortList entry_points",
    "ipyparallel.util": """ISO8601 Namespace ReverseDict _all_profile_dirs _default_profile_dir
        _ensure_tzinfo _execute _locate_profiles _parse_date _pull _push abbreviate_profile_dir
        become_dask_worker compare_datetimes disambiguate_ip_address disambiguate_url
        ensure_timezone extract_dates int_keys integer_loglevel interactive ip_for_host is_ip
        is_url local_logger log_errors progress select_random_ports set_hwm shlex_join
        signal_children split_url stop_distributed_worker utc utcnow validate_url
        validate_url_container""",
}

#: These warn, each time somebody imports them for the first time in a process.
DEPRECATED = {
    "ipyparallel.apps.baseapp": """BaseParallelApplication PIDFileError base_aliases base_flags
        base_ip_aliases base_ip_flags""",
    "ipyparallel.apps.ipclusterapp": """IPCluster IPClusterApp IPClusterStart launch_new_instance
        main""",
    "ipyparallel.apps.ipcontrollerapp": """IPController IPControllerApp launch_new_instance
        main""",
    "ipyparallel.apps.ipengineapp": "IPEngine IPEngineApp launch_new_instance main",
    "ipyparallel.apps.launcher": "BaseLauncher LocalEngineSetLauncher PIPE find_launcher_class",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_where_they_were(module):
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", DEPRECATED)
def test_deprecated_modules_name_their_successor(module, monkeypatch):
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.warns(DeprecationWarning, match=rf"^{module} is deprecated: use ipyparallel") as w:
        found = importlib.import_module(module)
    assert len(w) == 1
    assert [name for name in DEPRECATED[module].split() if not hasattr(found, name)] == []
    importlib.import_module(str(w[0].message).rpartition(" ")[2])


def test_the_warning_is_for_who_imports_and_comes_once():
    script = "import ipyparallel.apps.ipclusterapp\nimport ipyparallel.apps.ipclusterapp\n"
    run = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr.count("DeprecationWarning") == 1
    assert run.stderr.startswith("<string>:1:")


@pytest.mark.parametrize(
    ("value", "expected"), [(None, False), ("", False), ("0", False), ("1", True), ("no", True)]
)
def test_who_does_not_want_bars_is_asked_once(value, expected, monkeypatch):
    monkeypatch.delenv("IPP_NONINTERACTIVE", raising=False)
    if value is not None:
        monkeypatch.setenv("IPP_NONINTERACTIVE", value)
    script = "import ipyparallel, sys; sys.exit(ipyparallel._NONINTERACTIVE)"
    run = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert bool(run.returncode) is expected


def test_a_star_import_brings_no_modules_but_error():
    modules = [n for n in ipyparallel.__all__ if isinstance(getattr(ipyparallel, n), type(sys))]
    assert modules == ["error"]
