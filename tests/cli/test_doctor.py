"""doctor: true of this machine, names what is missing and how to get it."""
import os
import re

import pytest

from conftest import refuse, run, succeed


def found(text):
    """{name: (state, what was found)} of the printed lines."""
    return {m[2]: (m[1], m[3]) for m in re.finditer(r"^(ok|note|missing) +(\S+(?: \S+)*?)  +(.*)$", text, re.M)}


def checks(outcome):
    return {c["name"]: c for c in outcome.json["checks"]}


def test_it_tells_what_the_kernel_tells(tmp_path):
    result = succeed("doctor", "--json", "--threads", 1)
    told = result.json
    assert told["ok"] and told["threads"] == 1 and told["device"] in ("cpu", "cuda:0")
    cpuinfo = open("/proc/cpuinfo").read()
    if name := re.search(r"^model name\s*: (.*)$", cpuinfo, re.M):
        assert name[1] in checks(result)["processor"]["found"]
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.M)
    if flags:
        assert ("AVX2" in told["features"]) == ("avx2" in flags[1].split())
        assert ("AVX-512" in told["features"]) == ("avx512f" in flags[1].split())
    if told["device"] == "cpu":
        total = int(re.search(r"^MemTotal: +(\d+) kB", open("/proc/meminfo").read(), re.M)[1]) << 10
        assert 0 < told["free_bytes"] <= told["total_bytes"] <= total  # a control group may have less
    assert re.fullmatch(r"\d+\.\d+\.\d+", checks(result)["oneDNN"]["found"])
    assert "deflate" in checks(result)["HDF5"]["found"]


def test_the_instruction_sets_in_use_are_told():
    if "AVX2" not in succeed("doctor", "--json").json["features"]:
        pytest.skip("this CPU has no choice")
    for asked, used in [("portable", "SSE2"), ("avx2", "AVX2")]:
        told = checks(succeed("doctor", "--json", env={**os.environ, "IPA_SIMD": asked}))["processor"]
        assert f"convolutions use {used}, the rest of our code was compiled for " in told["found"]
    refuse(2, "doctor", says="IPA_SIMD", env={**os.environ, "IPA_SIMD": "neon"})


def test_it_is_aligned_and_says_the_same_as_its_json():
    lines = succeed("doctor").out.splitlines()
    assert lines[0].startswith("ipamedgan ")
    text = found("\n".join(lines))
    json = checks(succeed("doctor", "--json"))
    assert {name: state for name, (state, _) in text.items()} == {name: c["state"] for name, c in json.items()}
    starts = {line.index(text[name][1]) for line in lines for name in text if re.match(rf"(ok|note|missing) +{re.escape(name)}  ", line)}
    assert len(starts) == 1  # one column


def test_vgg19_and_the_cache_are_looked_for_where_train_looks(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "caches")}
    for name in ("IPAMEDGAN_VGG", "IPAMEDGAN_CACHE"):
        environment.pop(name, None)
    told = checks(succeed("doctor", "--json", env=environment))
    assert told["VGG-19"]["state"] == "note" and "scripts/get-vgg19" in told["VGG-19"]["remedy"]
    assert str(tmp_path / "caches/ipamedgan") in told["VGG-19"]["found"]
    assert told["cache"]["found"] == str(tmp_path / "caches/ipamedgan") and os.listdir(tmp_path) == []
    (tmp_path / "vgg.h5").write_text("no weights")
    told = checks(succeed("doctor", "--json", env={**environment, "IPAMEDGAN_VGG": str(tmp_path / "vgg.h5")}))
    assert told["VGG-19"]["state"] == "note" and "not an HDF5 file" in told["VGG-19"]["found"]
    (tmp_path / "file").write_text("")
    told = checks(succeed("doctor", "--json", env={**environment, "IPAMEDGAN_CACHE": str(tmp_path / "file/cache")}))
    assert "cannot be written" in told["cache"]["found"]


def test_too_many_threads_are_noted():
    told = checks(succeed("doctor", "--json", "--threads", len(os.sched_getaffinity(0)) + 1))
    assert told["threads"]["state"] == "note" and "--threads" in told["threads"]["remedy"]


def test_a_gpu_that_is_asked_for_and_cannot_be_used_is_missing():
    outcome = run("doctor", "--device", "cuda:99", "--json")
    assert outcome.code == 5 and not outcome.json["ok"]
    gpu = checks(outcome)["GPU"]
    assert gpu["state"] == "missing" and gpu["remedy"]
    assert outcome.last.startswith("ipamedgan: error: ") and "GPU" in outcome.last
    assert found(run("doctor", "--device", "cuda:99").out)["GPU"][0] == "missing"


def test_options_are_those_of_every_command():
    refuse(2, "doctor", "--memory", says="unknown option --memory")
    refuse(2, "doctor", "me", says='nothing takes the argument "me"')
