"""One whole hand-off by a client in another language, made from the .proto files alone.

Run by tests/foreign_client.rs with the generated modules on PYTHONPATH:
    hand_off.py GIVER_ADDRESS GIVER RECEIVER_ADDRESS RECEIVER
Prints the trail as JSON lines; the first thing that is not as it should be ends it with a non-zero status.
"""

import json
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lienthong.v1 import dossier_service_pb2 as api
from lienthong.v1 import dossier_service_pb2_grpc as services
from lienthong.v1 import node_service_pb2, node_service_pb2_grpc
from lienthong.v1 import reason_pb2 as reason
from lienthong.v1 import statement_pb2 as said

BOUND_S = 30
CONTENT = "Tờ khai đăng ký khai sinh".encode()


class Desk:
    """Officers of one agency."""

    def __init__(self, address, agency):
        self.agency = agency
        self.channel = grpc.insecure_channel(address)
        self.calls = services.DossierServiceStub(self.channel)

    def act(self, key):
        officer = said.Officer(id="cb01", name="Trần Thị Python")
        return api.Act(agency=self.agency, idempotency_key=key, officer=officer)

    def submit(self):
        request = api.SubmitDossierRequest(
            act=self.act("submit"),
            procedure_code="1.001193",
            procedure_version=1,
            channel=said.CHANNEL_COUNTER,
            content=CONTENT,
            paper_items=[said.PaperItem(name="Giấy chứng sinh", copies=1)],
        )
        first = self.calls.SubmitDossier(request, timeout=BOUND_S).done
        again = self.calls.SubmitDossier(request, timeout=BOUND_S).done
        expect(again.repeated_call and again.dossier_id == first.dossier_id, "the same key gives the stored answer")
        expect(first.phase == api.PHASE_HELD and first.dossier_code, "the giver holds a dossier with a code")
        return first

    def submit_many(self, count):
        """Many acts over one call; one of them is refused."""
        requests = [
            api.PerformActsRequest(
                number=n,
                submit=api.SubmitDossierRequest(
                    act=self.act(f"many-{n}" if n else "not a key!"),
                    procedure_code="1.001193",
                    channel=said.CHANNEL_ONLINE,
                    content=CONTENT,
                ),
            )
            for n in range(count)
        ]
        answers = {answer.number: answer for answer in self.calls.PerformActs(iter(requests), timeout=BOUND_S)}
        expect(sorted(answers) == list(range(count)), "each act is answered once")
        expect(answers[0].refused.reason == reason.REASON_BAD_ID, "a bad key is refused by number")
        expect(all(answers[n].done.dossier_code for n in range(1, count)), "the others are done")

    def offer(self, dossier, to, kind):
        request = api.OfferHandOffRequest(
            act=self.act("offer"),
            dossier=dossier,
            to=to,
            kind=kind,
            step="Thẩm định",
            wait_for=api.ACK_LEVEL_RECEIVED,
            wait_ms=BOUND_S * 1000,
        )
        answer = self.calls.OfferHandOff(request, timeout=2 * BOUND_S)
        expect(answer.done.level >= api.ACK_LEVEL_RECEIVED, "the other node signed for the offer")
        return answer.hand_off_id

    def accept_from_inbox(self, dossier_id):
        inbox = self.calls.ListInbox(
            api.ListInboxRequest(agency=self.agency, undecided_only=True), timeout=BOUND_S
        )
        offers = [event for event in inbox.events if event.dossier_id == dossier_id]
        expect(len(offers) == 1 and offers[0].kind == api.INBOX_EVENT_KIND_OFFERED, "one open offer is listed")
        request = api.AcceptHandOffRequest(
            act=self.act("accept"), dossier=api.DossierRef(id=dossier_id), hand_off_id=offers[0].hand_off_id
        )
        done = self.calls.AcceptHandOff(request, timeout=BOUND_S).done
        expect(done.phase == api.PHASE_HELD, "who signed holds it")
        return offers[0].hand_off_id

    def watch(self, hand_off_id):
        """The stream tells what became of the offer."""
        watching = self.calls.WatchInbox(api.WatchInboxRequest(agency=self.agency), timeout=BOUND_S)
        for answer in watching:
            event = answer.event
            if event.kind == api.INBOX_EVENT_KIND_ACCEPTED and event.hand_off_id == hand_off_id:
                watching.cancel()
                return
        expect(False, "the stream ended without the decision")


def expect(good, what):
    if not good:
        sys.exit(f"expected: {what}")


def healthy(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", "lienthong.v1.DossierService", "lienthong.v1.NodeService"]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=BOUND_S)
        expect(answer.status == health_pb2.HealthCheckResponse.SERVING, f"health of {service or 'the node'}")


def refused(desk):
    """An error has a code, and details that a client with google.rpc can read."""
    try:
        desk.calls.GetDossier(
            api.GetDossierRequest(agency=desk.agency, dossier=api.DossierRef(id="0" * 64)), timeout=BOUND_S
        )
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
        expect(error.code() == grpc.StatusCode.NOT_FOUND, "an unknown dossier is NOT_FOUND")
        expect(b"LT301_DOSSIER_NOT_FOUND" in details and b"lienthong" in details, "ErrorInfo is in the details")
        return
    expect(False, "an unknown dossier is refused")


def main(giver_address, giver, receiver_address, receiver):
    commune, district = Desk(giver_address, giver), Desk(receiver_address, receiver)
    for desk in (commune, district):
        healthy(desk.channel)
    refused(commune)
    submitted = commune.submit()
    dossier = api.DossierRef(id=submitted.dossier_id)
    forward = commune.offer(dossier, receiver, said.HAND_OFF_KIND_FORWARD)
    expect(district.accept_from_inbox(submitted.dossier_id) == forward, "the offer is the one that was made")
    commune.watch(forward)
    read = district.calls.ReadContent(
        api.ReadContentRequest(
            agency=receiver, dossier=dossier, officer=district.act("x").officer, purpose="giải quyết hồ sơ"
        ),
        timeout=BOUND_S,
    )
    expect(read.content.data == CONTENT, "the content came along")
    district.calls.CompleteDossier(
        api.CompleteDossierRequest(
            act=district.act("complete"), dossier=dossier, resolution=said.RESOLUTION_RESOLVED
        ),
        timeout=BOUND_S,
    )
    back = district.offer(dossier, giver, said.HAND_OFF_KIND_RESULT)
    expect(commune.accept_from_inbox(submitted.dossier_id) == back, "the dossier came back")
    closed = commune.calls.ReturnResult(
        api.ReturnResultRequest(act=commune.act("return"), dossier=dossier, channel=said.CHANNEL_COUNTER),
        timeout=BOUND_S,
    )
    expect(closed.done.phase == api.PHASE_CLOSED, "the result is returned")
    trail = commune.calls.GetTrail(api.GetTrailRequest(agency=giver, dossier=dossier), timeout=BOUND_S)
    for entry in trail.entries:
        kind = entry.statement.type.removeprefix("application/vnd.lienthong.").removesuffix(".v1")
        line = {"kind": kind, "spine": entry.on_spine, "custodian": entry.custodian, "id": entry.statement_id}
        print(json.dumps(line))
    node = node_service_pb2_grpc.NodeServiceStub(commune.channel)
    status = node.GetStatus(node_service_pb2.GetStatusRequest(), timeout=BOUND_S)
    expect([a.closed for a in status.agencies if a.agency == giver] == [1], "the node counts one closed dossier")
    commune.submit_many(50)


if __name__ == "__main__":
    main(*sys.argv[1:])
