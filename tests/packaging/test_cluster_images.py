"""The images and the Kubernetes manifest of a cluster's nodes name what there is."""

import re
import tomllib

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement

FOLDER = ROOT / "packaging/cluster"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda"])
def test_an_image_installs_extras_that_exist(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    named = re.search(r'"/src\[([\w,]+)\]"', text)[1].split(",")
    assert "cluster" in named
    assert ("cuda" in named) is name.endswith("cuda")
    assert set(named) <= set(EXTRAS)
    assert "RAY_USAGE_STATS_ENABLED=0" in text


def test_the_manifest_starts_a_head_and_two_kinds_of_workers():
    made = yaml.safe_load((FOLDER / "raycluster.yaml").read_text(encoding="utf-8"))
    assert (made["apiVersion"], made["kind"]) == ("ray.io/v1", "RayCluster")
    spec = made["spec"]
    ray = Requirement(EXTRAS["cluster"][0])
    assert (ray.name, ray.extras) == ("ray", {"client"})
    assert ray.specifier.contains(spec["rayVersion"])
    ports = spec["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"]
    assert {"containerPort": 10001, "name": "client"} in ports
    groups = {group["groupName"]: group for group in spec["workerGroupSpecs"]}
    assert set(groups) == {"processors", "gpus"}
    for name, group in groups.items():
        (container,) = group["template"]["spec"]["containers"]
        limits = container["resources"]["limits"]
        assert ("nvidia.com/gpu" in limits) is (name == "gpus")
        assert ("-cuda:" in container["image"]) is (name == "gpus")
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
