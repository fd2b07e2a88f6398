#!/usr/bin/env python3
"""Checks rendered manifests for what a schema cannot say: the node.toml inside, one replica, locked-down containers.

usage: render_check.py DEFAULT_TOML RENDERED.yaml

DEFAULT_TOML is the commented default configuration of the node; every key of the rendered node.toml must be in it.
"""

import re
import sys
import tomllib

import yaml


def known_keys(path):
    """Section -> keys, those that are commented out as optional included."""
    known, section = {}, None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if found := re.match(r"\[([a-z_]+)\]", line):
                section = known.setdefault(found[1], set())
            elif found := re.match(r"#?([a-z_]+) = ", line):
                section.add(found[1])
    return known


def check_config(text, known):
    config = tomllib.loads(text)
    for section, keys in config.items():
        unknown = set(keys) - known.get(section, set())
        if unknown:
            yield f"node.toml: [{section}] has unknown keys {sorted(unknown)}"
    tls = "tls_key" in config["grpc"]
    if tls == bool(config["grpc"].get("plaintext_ok")):
        yield "node.toml: either TLS or plaintext_ok"


def check_pod(spec):
    template = spec["template"]["spec"]
    if spec["replicas"] != 1:
        yield "more than one replica: an agency never runs twice"
    if not template["securityContext"].get("runAsNonRoot"):
        yield "the pod may run as root"
    volumes = {volume["name"] for volume in template["volumes"]} | {
        claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    for container in template["initContainers"] + template["containers"]:
        name, security = container["name"], container["securityContext"]
        if not security["readOnlyRootFilesystem"] or security["allowPrivilegeEscalation"]:
            yield f"{name}: writable root file system or privilege escalation"
        if security["capabilities"]["drop"] != ["ALL"]:
            yield f"{name}: keeps capabilities"
        if "memory" not in container["resources"].get("limits", {}):
            yield f"{name}: memory without a limit"
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                yield f"{name}: mounts {mount['name']}, which is no volume"
    node = template["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe not in node:
            yield f"no {probe}"


def main(default_toml, rendered):
    with open(rendered, encoding="utf-8") as file:
        documents = {document["kind"]: document for document in yaml.safe_load_all(file) if document}
    faults = list(check_config(documents["ConfigMap"]["data"]["node.toml"], known_keys(default_toml)))
    faults += check_pod(documents["StatefulSet"]["spec"])
    for fault in faults:
        print(f"render_check: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
