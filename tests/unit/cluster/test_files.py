import json
import stat

import pytest

from ipyparallel.cluster.files import (
    cluster_file,
    find_cluster_files,
    read_cluster_file,
    write_cluster_file,
)

GOOD = {"cluster": {"cluster_id": "a", "profile_dir": "/p"}, "engines": {"sets": {}}}


def test_the_default_cluster_has_a_file_too(tmp_path):
    assert cluster_file(tmp_path).name == "cluster-.json"
    assert cluster_file(tmp_path, "x") == tmp_path / "security" / "cluster-x.json"


def test_what_is_written_can_be_read_by_its_owner_only(tmp_path):
    path = cluster_file(tmp_path, "a")
    write_cluster_file(path, GOOD)
    assert read_cluster_file(path) == GOOD
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_cluster_files(tmp_path) == [path]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ('{"cluster": {', "not JSON"),
        ("[]", "must hold a JSON object, not list"),
        ('{"cluster": []}', "'cluster' must be an object"),
        (json.dumps({"cluster": {"cluster_id": "a"}}), r"missing 'cluster\.profile_dir'"),
        (json.dumps({"cluster": GOOD["cluster"]}), r"missing 'engines\.sets'"),
    ],
)
def test_a_broken_file_is_told_by_its_name(tmp_path, text, complaint):
    path = tmp_path / "cluster-a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"cluster-a.json.*{complaint}"):
        read_cluster_file(path)
