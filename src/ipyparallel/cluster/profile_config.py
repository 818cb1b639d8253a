"""Reading the configuration files of a profile, outside an application."""

from __future__ import annotations

import os

from traitlets.config.loader import (
    Config,
    ConfigFileNotFound,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)


def load_config(profile_dir: str | os.PathLike[str], name: str) -> Config:
    """What ``<name>.py`` and ``<name>.json`` in the profile folder say; JSON wins."""
    config = Config()
    for loader, suffix in ((PyFileConfigLoader, ".py"), (JSONFileConfigLoader, ".json")):
        try:
            config.merge(loader(f"{name}{suffix}", path=os.fspath(profile_dir)).load_config())
        except ConfigFileNotFound:
            continue
    return config


#: Class names of old configuration files, with the traits that have moved.
_MOVED_TRAITS = (
    *("delay", "n", "engine_launcher_class"),
    *("controller_launcher_class", "controller_ip", "controller_location"),
)


def translate_config(config: Config) -> tuple[Config, list[str]]:
    """What old names in a configuration mean today.

    Returns
    -------
    Config
        Only what was found under old names, under the new ones.
    list of str
        For each a text that says so.
    """
    renamed, texts = Config(), []
    if "IPClusterApp" in config:
        renamed.IPCluster.merge(config.IPClusterApp)
        texts.append("IPClusterApp is now IPCluster")
    for old in ("IPClusterStart", "IPClusterEngines"):
        if old not in config:
            continue
        for trait in _MOVED_TRAITS:
            if trait in config[old]:
                renamed.Cluster[trait] = config[old][trait]
                texts.append(f"{old}.{trait} is now Cluster.{trait}")
    return renamed, texts
