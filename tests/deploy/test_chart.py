"""The Helm chart renders to manifests that Kubernetes and KEDA know, and that give away no more than they must."""

import copy
import json
import os
import pathlib
import shutil
import subprocess

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/belljar"
TOOLS = ROOT / "tests/deploy/chart"
SCHEMAS = ROOT / "build/deploy-schemas"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
PEER = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
# Each of the branches of the templates is in one of these.
CHOICES = {
    "defaults": {},
    "everything": {
        "image": {"tag": "1.2"},
        "imagePullSecrets": [{"name": "registry"}],
        "nats": {"gateway": {"credentialsSecret": "gateway-jwt"}, "worker": {"credentialsSecret": "worker-jwt"},
                 "ports": [4222, 4223]},
        "ledger": {"tlsSecret": "ledger-tls"},
        "gateway": {"tlsSecret": "tls", "ingressFrom": [PEER], "webhookPeers": [PEER], "settings": {"BELLJAR_RATE": "600"},
                    "nodeSelector": {"a": "b"}, "tolerations": [{"key": "a", "operator": "Exists"}]},
        "worker": {"name": "a-team", "pool": "small", "settings": {"BELLJAR_POOL": "4"}, "nodeSelector": {"a": "b"},
                   "tolerations": [{"key": "a", "operator": "Exists"}]},
        "keda": {"enabled": True},
    },
    "on each node": {"worker": {"kind": "DaemonSet"}},
    "authority alone": {"nats": {"clientCertificate": False}},
    "open": {"nats": {"url": "nats://n", "gateway": {"tlsSecret": ""}, "worker": {"tlsSecret": ""}}, "ledger": {"passwordSecret": ""}},
}  # fmt: skip
chosen = pytest.mark.parametrize("choice", CHOICES)


@pytest.fixture(scope="session")
def renderer(tmp_path_factory):
    """The program, from Debian's packages alone."""
    folder = tmp_path_factory.mktemp("render")
    environment = {"PATH": os.environ["PATH"], "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
                   "GOCACHE": str(folder / "cache"), "HOME": str(folder)}  # fmt: skip
    done = subprocess.run(
        ["go", "build", "-o", folder / "render", TOOLS / "render.go"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "render"


@pytest.fixture(scope="session")
def render(renderer):
    def rendered(values, chart=CHART):
        done = subprocess.run([renderer, chart, "test"], input=yaml.safe_dump(values), capture_output=True, text=True,
                              timeout=60, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return manifests_of(done.stdout)

    return rendered


@pytest.fixture(scope="session", params=CHOICES)
def manifests(render, request):
    return render(CHOICES[request.param])


@pytest.fixture(scope="session")
def everything(render):
    return render(CHOICES["everything"])


def manifests_of(text):
    return [each for each in yaml.safe_load_all(text) if each]


def merged(below, above):
    if not isinstance(below, dict) or not isinstance(above, dict):
        return copy.deepcopy(above)
    return {**below, **{name: merged(below.get(name), value) for name, value in above.items()}}


def wrong_in(manifests):
    done = subprocess.run(["node", TOOLS / "schemas.mjs", SCHEMAS], input=json.dumps(manifests), capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def one(manifests, kind, role):
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith(role)]
    return found


def pods(manifests):
    return {each["metadata"]["name"].rpartition("-")[2]: each["spec"]["template"]["spec"]
            for each in manifests if each["kind"] in ("Deployment", "DaemonSet")}  # fmt: skip


def role(manifests, name):
    pod = pods(manifests)[name]
    (container,) = pod["containers"]
    return pod, container


# ---- What is rendered is what Kubernetes knows ------------------------------------------------


def test_kubernetes_and_keda_know_every_field(manifests):
    assert wrong_in(manifests) == []


def test_each_kind_is_there(everything):
    kinds = sorted(each["kind"] for each in everything)
    assert kinds == sorted(["Deployment", "NetworkPolicy", "PodDisruptionBudget"] * 2
                           + ["Service", "ConfigMap", "ScaledObject"])  # fmt: skip


def plant_unknown(manifests):
    role(manifests, "worker")[1]["securityContxt"] = {}


def plant_deep(manifests):
    role(manifests, "worker")[1]["securityContext"]["seccompProfile"]["kind"] = "Localhost"


def plant_type(manifests):
    one(manifests, "Deployment", "gateway")["spec"]["replicas"] = "two"


def plant_missing(manifests):
    del one(manifests, "Deployment", "gateway")["spec"]["selector"]


def plant_word(manifests):
    role(manifests, "worker")[1]["securityContext"]["procMount"] = "Open"


def plant_trigger(manifests):
    del one(manifests, "ScaledObject", "worker")["spec"]["triggers"]


def plant_kind(manifests):
    manifests[0]["apiVersion"] = "apps/v7"


@pytest.mark.parametrize(
    "plant", [plant_unknown, plant_deep, plant_type, plant_missing, plant_word, plant_trigger, plant_kind]
)
def test_a_planted_mistake_is_found(everything, plant):
    broken = copy.deepcopy(everything)
    assert wrong_in(broken) == []
    plant(broken)
    assert len(wrong_in(broken)) == 1


def test_a_value_that_is_not_there_is_found(renderer, tmp_path):
    shutil.copytree(CHART, tmp_path / "chart")
    worker = tmp_path / "chart/templates/worker.yaml"
    worker.write_text(worker.read_text().replace(".Values.worker.scratch", ".Values.worker.scrotch"))
    done = subprocess.run([renderer, tmp_path / "chart", "test"], input="", capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "scrotch" in done.stderr


@chosen
def test_helm_renders_the_same(render, choice, tmp_path):
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed, and Debian has none")
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(CHOICES[choice]))
    lint = subprocess.run([helm, "lint", "--strict", CHART, "-f", values], capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    done = subprocess.run(
        [helm, "template", "test", CHART, "-f", values, "--kube-version", "1.33.0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    def ordered(manifests):
        return sorted(manifests, key=lambda each: (each["kind"], each["metadata"]["name"]))

    assert ordered(manifests_of(done.stdout)) == ordered(render(CHOICES[choice]))


# ---- Values -----------------------------------------------------------------------------------


def values_errors(values):
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return list(jsonschema.Draft7Validator(schema).iter_errors(merged(DEFAULTS, values)))


@chosen
def test_good_values_are_accepted(choice):
    assert values_errors(CHOICES[choice]) == []


@pytest.mark.parametrize(
    "values",
    [
        {"gatway": {}},
        {"worker": {"kind": "StatefulSet"}},
        {"worker": {"replicas": 0}},
        {"worker": {"settings": {"belljar_pool": "4"}}},
        {"worker": {"settings": {"BELLJAR_POOL": 4}}},
        {"nats": {"url": "nats://user:secret@host"}},
        {"nats": {"worker": {"secret": "a"}}},
        {"nats": {"peers": []}},
        {"nats": {"peers": [{}]}},
        {"ledger": {"url": "postgresql://belljar:secret@host/belljar"}},
        {"ledger": {"url": "sqlite:///ledger"}},
        {"keda": {"enabled": True}},
        {"keda": {"enabled": True}, "worker": {"kind": "DaemonSet", "pool": "small"}},
        {"worker": {"pool": "a.b"}},
        {"worker": {"name": "a.b"}},
        {"worker": {"name": ""}},
    ],
)
def test_bad_values_are_refused(values):
    assert values_errors(values)


# ---- What a pod may do ------------------------------------------------------------------------


def test_nothing_is_given_away(manifests):
    for pod in pods(manifests).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
        assert not [each for each in pod["volumes"] if "hostPath" in each]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert "privileged" not in context
            assert context["capabilities"]["drop"] == ["ALL"]
            assert context["readOnlyRootFilesystem"] is True


def test_a_gateway_has_no_privilege(manifests):
    pod, container = role(manifests, "gateway")
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert "add" not in container["securityContext"]["capabilities"]
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"


def test_a_worker_has_what_the_container_of_one_machine_has(manifests):
    """The flags that tests/deploy/test_container.py tries, in Kubernetes' words."""
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["belljar"]
    pod, container = role(manifests, "worker")
    context = container["securityContext"]
    assert set(compose["security_opt"]) == {
        "seccomp=docker-seccomp.json", "systempaths=unconfined", "apparmor=unconfined"
    }  # fmt: skip
    assert context["seccompProfile"]["type"] == "Localhost"
    assert context["procMount"] == "Unmasked" and pod["hostUsers"] is False
    assert context["appArmorProfile"] == {"type": "Unconfined"}
    assert context["capabilities"] == {"drop": compose["cap_drop"], "add": compose["cap_add"]}
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["BELLJAR_CONCURRENT"] == compose["environment"]["BELLJAR_CONCURRENT"]
    assert container["resources"]["limits"]["memory"]


def test_a_workers_ids_are_in_its_user_namespace(manifests):
    _, container = role(manifests, "worker")
    name, first, count = one(manifests, "ConfigMap", "worker")["data"]["range"].split(":")
    assert f"useradd --uid 1000 --create-home --home-dir /var/lib/{name}" in (ROOT / "deploy/Containerfile").read_text()
    assert 1000 < int(first) and int(first) + int(count) <= 65536
    assert int(count) >= 32768  # docs/operations.md, "As an ordinary user"
    mounted = {each["mountPath"] for each in container["volumeMounts"] if each["name"] == "ids"}
    assert mounted == {"/etc/subuid", "/etc/subgid"}


def test_a_worker_knows_nothing_of_the_ledger(everything):
    text = json.dumps(one(everything, "Deployment", "worker"))
    assert "ledger" not in text.lower() and "postgres" not in text
    gateway = json.dumps(one(everything, "Deployment", "gateway"))
    assert "BELLJAR_LEDGER" in gateway
    for role, its, others in (("gateway", gateway, text), ("worker", text, gateway)):
        for secret in (DEFAULTS["nats"][role]["tlsSecret"], f"{role}-jwt"):
            assert secret in its and secret not in others


def test_a_worker_has_the_name_that_nats_knows_it_by(everything):
    _, container = role(everything, "worker")
    assert {"name": "BELLJAR_FLEET_NAME", "value": "a-team"} in container["env"]


def test_no_secret_is_in_the_environment(manifests):
    for pod in pods(manifests).values():
        for each in pod["containers"][0]["env"]:
            assert "valueFrom" not in each, each


def test_a_worker_reaches_nats_and_names_alone(everything):
    policy = one(everything, "NetworkPolicy", "worker")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in policy
    assert [each["to"] for each in policy["egress"]] == [DEFAULTS["nats"]["peers"], DEFAULTS["dns"]["peers"]]
    ports = {(port["protocol"], port["port"]) for each in policy["egress"] for port in each["ports"]}
    assert ports == {("TCP", 4222), ("TCP", 4223), ("UDP", 53), ("TCP", 53)}


def test_a_gateway_reaches_nats_the_ledger_and_webhooks(everything):
    policy = one(everything, "NetworkPolicy", "gateway")["spec"]
    assert [each["to"] for each in policy["egress"]] == [
        DEFAULTS["nats"]["peers"], DEFAULTS["dns"]["peers"], DEFAULTS["ledger"]["peers"], [PEER]
    ]  # fmt: skip
    assert [each["from"] for each in policy["ingress"]] == [[PEER]]


def test_no_rule_lets_all_of_the_world_in_or_out_by_being_empty(manifests):
    """To NetworkPolicy an empty peer, or none where one is meant, is everybody."""
    for policy in (each["spec"] for each in manifests if each["kind"] == "NetworkPolicy"):
        for rule in policy["egress"]:
            assert rule["to"] and all(rule["to"]) and rule["ports"]


# ---- That its parts fit together --------------------------------------------------------------


def test_selectors_find_their_pods_and_no_others(manifests):
    labels = {name: one(manifests, kind, name)["spec"]["template"]["metadata"]["labels"]
              for kind, name in (("Deployment", "gateway"), (worker_kind(manifests), "worker"))}  # fmt: skip
    seen = 0
    for each in manifests:
        spec = each.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if not selector:
            continue
        wanted = selector.get("matchLabels", selector)
        found = [name for name, has in labels.items() if wanted.items() <= has.items()]
        assert found == [each["metadata"]["name"].rpartition("-")[2]], each["metadata"]
        seen += 1
    assert seen == (7 if worker_kind(manifests) == "Deployment" else 6)


def worker_kind(manifests):
    kinds = [each["kind"] for each in manifests if each["metadata"]["name"].endswith("worker")]
    return "DaemonSet" if "DaemonSet" in kinds else "Deployment"


def test_what_is_mounted_is_there_and_what_is_there_is_mounted(manifests):
    for pod in pods(manifests).values():
        (container,) = pod["containers"]
        names = [each["name"] for each in pod["volumes"]]
        assert len(set(names)) == len(names)
        assert {each["name"] for each in container["volumeMounts"]} == set(names)
        paths = [each["mountPath"] for each in container["volumeMounts"]]
        assert len(set(paths)) == len(paths)
        for each in container["env"]:
            if each["name"].endswith("_FILE") or each["name"] in ("BELLJAR_TLS_KEY", "BELLJAR_TLS_CERTIFICATE"):
                assert str(pathlib.PurePath(each["value"]).parent) in paths, each


def test_the_environment_is_known(manifests, known_settings):
    for pod in pods(manifests).values():
        used = [each["name"] for each in pod["containers"][0]["env"]]
        assert len(set(used)) == len(used)
        assert set(used) <= known_settings


def test_a_pod_is_given_time_for_its_drain(manifests):
    for pod in pods(manifests).values():
        drain = next(each["value"] for each in pod["containers"][0]["env"] if each["name"] == "BELLJAR_DRAIN")
        assert pod["terminationGracePeriodSeconds"] >= int(drain.removesuffix("s")) + 5


def test_keda_scales_the_workers_that_are_there(everything):
    scaled = one(everything, "ScaledObject", "worker")["spec"]
    deployment = one(everything, "Deployment", "worker")
    assert scaled["scaleTargetRef"] == {"kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert "replicas" not in deployment["spec"]  # else each upgrade would undo what KEDA chose
    assert [each["metadata"]["consumer"] for each in scaled["triggers"]] == [f"small-{lane}" for lane in range(8)]
    assert all(isinstance(value, str) for each in scaled["triggers"] for value in each["metadata"].values())


def test_keda_follows_every_stream_and_the_pool_that_labels_make(render):
    values = merged(CHOICES["everything"], {"keda": {"streams": 2, "pool": "small-0123456789ab", "lanes": 1}})
    triggers = one(render(values), "ScaledObject", "worker")["spec"]["triggers"]
    assert [(each["metadata"]["stream"], each["metadata"]["consumer"]) for each in triggers] == [
        ("BELLJAR_WORK", "small-0123456789ab-0"), ("BELLJAR_WORK_1", "small-0123456789ab-0"),
    ]  # fmt: skip


def test_keda_knows_the_stream_and_its_lanes():
    subjects = ROOT / "src/fleet/subjects.h"
    if not subjects.exists():
        pytest.skip("there are no sources of a fleet yet")
    assert f'kWorkStream = "{DEFAULTS["keda"]["stream"]}"' in subjects.read_text()
    assert f"kLanes = {DEFAULTS['keda']['lanes']};" in subjects.read_text()
    assert f"{DEFAULTS['keda']['account']} {{" in (ROOT / "deploy/nats.conf").read_text()
