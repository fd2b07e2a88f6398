#!/usr/bin/env python3
"""Checks a directory file and a play file: format, references, allowed hand-offs, custody, and what a morning must show.

usage: play_check.py DIRECTORY.toml PLAY

It walks the play as the protocol would run it and compares the outcome with the `expect` lines. Grammar: see the head of
the play file; patterns: see the head of the allow rows in the directory file.
"""

import re
import sys
import tomllib
from collections import Counter

LEVELS = {"commune", "district", "department", "vertical", "ministry"}
CHANNELS = {"counter", "online", "post"}
KINDS = {"forward", "return", "result", "misrouted"}
VERBS = {  # verb: (required keys, optional keys)
    "submit": ({"procedure", "channel", "content"}, {"papers"}),
    "offer": ({"to", "kind", "step"}, {"papers", "note", "due_hours"}),
    "accept": (set(), {"note"}),
    "refuse": ({"reason"}, set()),
    "recall": ({"reason"}, {"race"}),
    "note": ({"text"}, set()),
    "complete": ({"result"}, set()),
    "return": ({"channel"}, set()),
}
ID = re.compile(r"[a-z0-9-]{1,40}\Z")
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
AGENCY_CODE = re.compile(r"[A-Y][0-9]{2}(\.[A-Z0-9]+)*\Z")
PROCEDURE_CODE = re.compile(r"[0-9]\.[0-9]{6}\Z")
WORD = re.compile(r'(?:([a-z_]+)=)?(?:"((?:[^"\\]|\\["\\])*)"|([^\s"]+))(?:\s+|$)')
# The node refuses longer texts, counted in bytes of UTF-8.
BYTES_MAX = {"step": 100, "papers": 2_000, "content": 512 * 1024}
TEXT_BYTES_MAX, PAPER_BYTES_MAX, PAPERS_MAX = 2_000, 300, 64
NEEDED_PROCEDURES = {"1.001193", "1.001776", "1.001612", "2.000815"}
NEEDED_DOSSIERS = 30


class Faults(list):
    """Faults found, all reported together."""

    def need(self, ok, where, what):
        if not ok:
            self.append(f"{where}: {what}")
        return ok


def load_directory(path, faults):
    with open(path, "rb") as file:
        doc = tomllib.load(file)
    faults.need(doc.get("version") == 1, path, "version must be 1")
    faults.need(isinstance(doc.get("epoch"), int) and doc["epoch"] >= 1, path, "epoch must be at least 1")
    agencies = {}
    for agency in doc["agency"]:
        check_agency(agency, agencies, faults)
        agencies[agency["id"]] = agency
    known_parents = set(agencies) | {doc["authority"]["id"]}
    for agency in agencies.values():
        parent = agency.get("parent")
        faults.need(parent is None or parent in known_parents, agency["id"], f"unknown parent {parent}")
    for key in ("code", "unit_code"):
        counted = Counter(a[key] for a in agencies.values() if key in a)
        for value, count in counted.items():
            faults.need(count == 1, key, f"{value} used {count} times")
    procedures = {}
    for procedure in doc["procedure"]:
        code = procedure["code"]
        faults.need(PROCEDURE_CODE.match(code), "procedure", f"bad code {code}")
        faults.need(code not in procedures, "procedure", f"{code} twice")
        faults.need(procedure["name"] and procedure["basis"] and procedure["days"] >= 0, code, "name, basis, days")
        procedures[code] = procedure
    for row in doc["allow"]:
        check_allow(row, agencies, procedures, faults)
    return {"agencies": agencies, "procedures": procedures, "allow": doc["allow"]}


def check_agency(agency, seen, faults):
    aid = agency["id"]
    faults.need(ID.match(aid), aid, "bad agency id")
    faults.need(aid not in seen, aid, "agency twice")
    faults.need(agency["level"] in LEVELS, aid, f"unknown level {agency['level']}")
    faults.need(len(agency["code"]) <= 35 and AGENCY_CODE.match(agency["code"]), aid, f"bad code {agency['code']}")
    faults.need(agency.get("name"), aid, "no name")
    faults.need(isinstance(agency.get("keys"), list), aid, "no keys list")


def check_allow(row, agencies, procedures, faults):
    where = f"allow {row['from']} -> {row['to']}"
    for side in ("from", "to"):
        pattern = row[side]
        level = pattern.removeprefix("level:")
        known = pattern == "*" or pattern in agencies or (level != pattern and level in LEVELS)
        faults.need(known, where, f"unknown pattern {pattern}")
    listed = row["procedures"]
    faults.need(listed, where, "empty list of procedures")
    faults.need(listed == ["*"] or set(listed) <= set(procedures), where, "unknown procedure")


def matches(pattern, agency):
    return pattern in ("*", agency["id"], f"level:{agency['level']}")


def allowed(directory, giver, receiver, procedure):
    agencies = directory["agencies"]
    return giver != receiver and any(
        matches(row["from"], agencies[giver])
        and matches(row["to"], agencies[receiver])
        and (row["procedures"] == ["*"] or procedure in row["procedures"])
        for row in directory["allow"]
    )


def split(line):
    """Splits a line into plain words and key=value pairs; None if it does not follow the grammar."""
    words, pairs, at = [], {}, 0
    while at < len(line):
        found = WORD.match(line, at)
        if not found:
            return None
        key, quoted, bare = found.groups()
        value = bare if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        if key is None:
            words.append(value)
        elif key in pairs:
            return None
        else:
            pairs[key] = value
        at = found.end()
    return words, pairs


class Play:
    """Walks the play: where each dossier is, and what was shown."""

    def __init__(self, directory, faults):
        self.directory, self.faults = directory, faults
        self.officers, self.dossiers, self.expected = {}, {}, {}
        self.clock, self.previous, self.shown = "00:00", None, Counter()

    def line(self, number, text):
        where = f"line {number}"
        parts = split(text)
        if not self.faults.need(parts, where, "cannot be read"):
            return
        words, pairs = parts
        if words[0] == "officer":
            self.officer(where, words, pairs)
        elif words[0] == "expect":
            self.expect(where, words, pairs)
        else:
            self.act(where, words, pairs)

    def agency(self, where, aid):
        return self.faults.need(aid in self.directory["agencies"], where, f"unknown agency {aid}")

    def officer(self, where, words, pairs):
        if self.faults.need(len(words) == 4 and not pairs, where, "officer <agency> <id> <name>"):
            self.agency(where, words[1])
            self.faults.need(ID.match(words[2]), where, f"bad officer id {words[2]}")
            self.officers.setdefault(words[1], []).append(words[2])

    def expect(self, where, words, pairs):
        ok = len(words) == 2 and {"custodian", "state"} <= set(pairs) <= {"custodian", "state", "to"}
        if self.faults.need(ok, where, "expect <dossier> custodian= state= [to=]"):
            self.agency(where, pairs["custodian"])
            self.faults.need(words[1] not in self.expected, where, f"{words[1]} expected twice")
            self.expected[words[1]] = (pairs["custodian"], pairs["state"], pairs.get("to"))

    def act(self, where, words, pairs):
        if not self.faults.need(len(words) == 4, where, "<HH:MM> <agency> <verb> <dossier>"):
            return
        time, aid, verb, label = words
        self.faults.need(TIME.match(time) and time >= self.clock, where, f"bad time {time}")
        self.clock = time
        self.faults.need(not self.expected, where, "an act after an expect line")
        if not self.agency(where, aid) or not self.faults.need(verb in VERBS, where, f"unknown verb {verb}"):
            return
        required, optional = VERBS[verb]
        keys = set(pairs) - {"by"}
        self.faults.need(required <= keys <= required | optional, where, f"keys of {verb}: {sorted(keys)}")
        self.sizes(where, pairs)
        officers = self.officers.get(aid, [])
        self.faults.need(officers and pairs.get("by", officers[0]) in officers, where, f"no such officer at {aid}")
        if "channel" in pairs:
            self.faults.need(pairs["channel"] in CHANNELS, where, f"unknown channel {pairs['channel']}")
        if verb == "submit":
            self.submit(where, aid, label, pairs)
        elif self.faults.need(label in self.dossiers, where, f"unknown dossier {label}"):
            getattr(self, verb.replace("return", "return_"))(where, aid, self.dossiers[label], pairs)
        self.previous = (aid, verb, label)

    def sizes(self, where, pairs):
        for key, value in pairs.items():
            self.faults.need(0 < len(value.encode()) <= BYTES_MAX.get(key, TEXT_BYTES_MAX), where, f"size of {key}")
        papers = [paper.strip() for paper in pairs["papers"].split(";")] if "papers" in pairs else []
        fits = len(papers) <= PAPERS_MAX and all(0 < len(paper.encode()) <= PAPER_BYTES_MAX for paper in papers)
        self.faults.need(fits, where, "papers: too many, too long, or an empty one")

    def submit(self, where, aid, label, pairs):
        self.faults.need(ID.match(label), where, f"bad label {label}")
        self.faults.need(label not in self.dossiers, where, f"{label} twice")
        self.faults.need(pairs.get("procedure") in self.directory["procedures"], where, "unknown procedure")
        self.dossiers[label] = {"label": label, "at": aid, "state": "held", "to": None, "completed": False,
                                "procedure": pairs.get("procedure"), "channel": pairs.get("channel"), "path": [aid]}

    def holds(self, where, aid, dossier):
        return self.faults.need((dossier["at"], dossier["state"]) == (aid, "held"), where,
                                f"{aid} does not hold {dossier['label']}")

    def offer(self, where, aid, dossier, pairs):
        to = pairs.get("to")
        if self.holds(where, aid, dossier) and self.agency(where, to):
            self.faults.need(pairs.get("kind") in KINDS, where, f"unknown kind {pairs.get('kind')}")
            self.faults.need(pairs.get("due_hours", "1").isdigit(), where, "due_hours is a whole number")
            self.faults.need(allowed(self.directory, aid, to, dossier["procedure"]), where,
                             f"not allowed: {aid} -> {to} {dossier['procedure']}")
            dossier.update(state="offered", to=to)
            self.shown["misrouted"] += pairs.get("kind") == "misrouted"

    def inbox(self, where, aid, dossier):
        return self.faults.need((dossier["to"], dossier["state"]) == (aid, "offered"), where,
                                f"{dossier['label']} is not in the inbox of {aid}")

    def accept(self, where, aid, dossier, _pairs):
        if self.inbox(where, aid, dossier):
            dossier.update(state="held", at=aid, to=None)
            dossier["path"].append(aid)

    def refuse(self, where, aid, dossier, pairs):
        if self.inbox(where, aid, dossier):
            dossier.update(state="held", to=None)
            self.shown["refused"] += bool(pairs.get("reason"))

    def recall(self, where, aid, dossier, pairs):
        if "race" in pairs:
            self.faults.need(pairs["race"] == "after-accept", where, f"unknown race {pairs['race']}")
            just = self.previous and self.previous[1:] == ("accept", dossier["label"]) and dossier["path"][-2:-1] == [aid]
            self.faults.need(just, where, "a racing recall follows the accept of what this agency gave")
            self.shown["recall lost"] += 1
        elif self.faults.need((dossier["at"], dossier["state"]) == (aid, "offered"), where, "nothing to recall"):
            dossier.update(state="held", to=None)
            self.shown["recall won"] += 1

    def note(self, where, aid, dossier, _pairs):
        self.holds(where, aid, dossier)

    def complete(self, where, aid, dossier, _pairs):
        if self.holds(where, aid, dossier):
            self.faults.need(not dossier["completed"], where, "completed twice")
            dossier["completed"] = True

    def return_(self, where, aid, dossier, _pairs):
        if self.holds(where, aid, dossier):
            self.faults.need(dossier["completed"], where, "returned before it is completed")
            dossier["state"] = "closed"

    def finish(self):
        need = self.faults.need
        for label, d in self.dossiers.items():
            reached = (d["at"], d["state"], d["to"])
            need(self.expected.get(label) == reached, label, f"ends as {reached}, expected {self.expected.get(label)}")
        need(set(self.expected) <= set(self.dossiers), "expect", "an unknown dossier")
        procedures = {d["procedure"] for d in self.dossiers.values()}
        channels = Counter(d["channel"] for d in self.dossiers.values())
        need(len(self.dossiers) >= NEEDED_DOSSIERS, "play", f"only {len(self.dossiers)} dossiers")
        need(NEEDED_PROCEDURES <= procedures, "play", f"procedures missing: {NEEDED_PROCEDURES - procedures}")
        need(set(channels) == CHANNELS, "play", f"channels: {dict(channels)}")
        for what in ("refused", "recall won", "recall lost", "misrouted"):
            need(self.shown[what] >= 1, "play", f"nothing is {what}")
        need(self.long_way_round(), "play", "no dossier goes commune, district, department and back")
        return procedures, channels

    def long_way_round(self):
        levels = {a["id"]: a["level"] for a in self.directory["agencies"].values()}
        wanted = ["commune", "district", "department", "district", "commune"]
        return any([levels[a] for a in d["path"]] == wanted and d["path"][0] == d["path"][-1] and d["state"] == "closed"
                   for d in self.dossiers.values())


def main(directory_path, play_path):
    faults = Faults()
    directory = load_directory(directory_path, faults)
    play = Play(directory, faults)
    with open(play_path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                play.line(number, text)
    procedures, channels = play.finish()
    for fault in faults:
        print(f"play_check: {fault}", file=sys.stderr)
    if faults:
        return 1
    print(f"play_check: {len(directory['agencies'])} agencies, {len(play.dossiers)} dossiers, {len(procedures)} procedures, "
          f"channels {dict(channels)}, {dict(play.shown)}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
