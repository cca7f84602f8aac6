"""One subscription at work: what is under way for it, how far it is settled, and what is to be remembered of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.model.change import Event
from parvis.broker.model.entity import Entity
from parvis.broker.subscriptions import metrics
from parvis.broker.subscriptions.lane import Lane, Parcel
from parvis.broker.subscriptions.model import DeadLetter, Note, Occurrence, Status, Subscription
from parvis.broker.subscriptions.notification import (
    Linked,
    Message,
    Notices,
    linkage_of,
    merged,
    shape_of,
    wants_previous,
    write_merged,
    write_periodic,
)
from parvis.kernel.causes import Cause
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import SECOND, Clock, Instant

MOST_HELD = 500
"""Entities that a throttled subscription holds back; more, and it reads them again later."""
_LONGEST_REASON = 500
_SAVE_IDLE_EVERY_S = 10.0
_log = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True):
    """When a notification is given up that its endpoint does not take."""

    give_up_after: Instant
    backlog_events: int


class Surroundings(msgspec.Struct, frozen=True):
    """What every recipient needs of the delivery around it."""

    clock: Clock
    limits: Limits
    bury: Callable[[DeadLetter], None]
    newest: Callable[[], int]


class Recipient:
    """`cursor` is the last event looked at for it; those of `pending` are under way."""

    def __init__(
        self, subscription: Subscription, context: Context, lane: Lane, around: Surroundings, cursor: int
    ) -> None:
        self.subscription = subscription
        self.context = context
        self.with_previous = wants_previous(subscription)
        self.lane = lane
        self.cursor = cursor
        self.is_live = False
        self.is_resting = False
        self.pending: dict[int, Instant] = {}
        self.linkage = linkage_of(subscription)
        self._shape = shape_of(subscription)
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, Occurrence] = {}
        self._held_linked: dict[str, Linked] = {}
        self._held_seqs: set[int] = set()
        self._release_at_s = 0.0
        self._release: asyncio.TimerHandle | None = None
        self._rested_until: Instant = 0
        self._rested_to = 0
        self._under_way = 0
        self._saved_position = cursor
        self._saved_at_s = self._loop.time()
        self._note = self._blank()

    @property
    def key(self) -> tuple[str, str]:
        return self.subscription.tenant, self.subscription.id

    @property
    def can_take(self) -> bool:
        return not self.lane.is_full and len(self._held) < MOST_HELD

    def follow_on(self, before: "Recipient", newest: int) -> None:
        """It goes on where `before` stood, which is closed: `newest` is the newest event, asked for since.

        What happened while `before` rested is not told; where times mislead, for the clock went back, the number of
        the event decides.
        """
        self.cursor, self._note, self._saved_position = before.cursor, before._note, before._saved_position
        if before.is_resting:
            self._rested_until, self._rested_to = self.subscription.modified_at, newest
        else:
            self._rested_until, self._rested_to = before._rested_until, before._rested_to

    def slept_through(self, event: Event) -> bool:
        return event.seq <= self._rested_to and event.at < self._rested_until

    @property
    def is_settled(self) -> bool:
        """Nothing of it is under way; what goes by the clock has no events that would say so."""
        return self._under_way == 0

    def position(self) -> int:
        """Everything up to here is settled."""
        return min(self.pending) - 1 if self.pending else self.cursor

    def lag(self, now: Instant) -> Instant:
        """Since when its oldest notification under way waits."""
        return max(0, now - min(self.pending.values())) if self.pending else 0

    def take(self, occurrence: Occurrence, notices: Notices, now: Instant, linked: Linked | None = None) -> None:
        """The caller has seen that it can. `now` may be that of a few events together.

        `linked` is what the entity is linked to, where `linkage` asks for it.
        """
        is_over = self.is_over(occurrence.at, occurrence.seq)
        if self.subscription.throttling and not is_over:
            if self._release is not None or self._loop.time() < self._release_at_s:
                self._hold(occurrence, linked)
                return
            self._throttle()
        message = self._write(lambda: self._message(occurrence, notices, now, linked))
        if message is not None:
            entity_id = "" if self.subscription.throttling else occurrence.entity.id
            self._send(self._parcel(entity_id, (occurrence.seq,), occurrence.at, message), is_over=is_over)

    def _message(self, occurrence: Occurrence, notices: Notices, now: Instant, linked: Linked | None) -> Message:
        if linked is None:
            return notices.write(self.subscription, self._shape, self.context, now)
        return write_merged(self.subscription, self._shape, self.context, [occurrence], now, linked)

    def tell_all(self, entities: Sequence[Entity], linked: Linked | None = None) -> None:
        """What they are, by the clock."""
        now = self._around.clock()
        message = self._write(
            lambda: write_periodic(self.subscription, self._shape, self.context, entities, now, linked)
        )
        if message is not None:
            self._send(self._parcel("", (), now, message))

    def note_fault(self, reason: str) -> None:
        """Of what kept it from telling anything."""
        self._failed(reason)

    def close(self) -> None:
        self.is_live = False
        if self._release is not None:
            self._release.cancel()
        self.lane.drop(self)

    def begun(self, parcel: Parcel) -> None:
        """Counted at once, whatever the receiver makes of it (5.8.6)."""
        note = self._note
        self._note = msgspec.structs.replace(note, sent=note.sent + 1, last_notification=self._around.clock())

    def taken(self, parcel: Parcel) -> None:
        self._under_way -= 1
        self._settle_all(parcel.seqs)
        self._note = msgspec.structs.replace(self._note, last_success=self._around.clock())
        metrics.SENT.inc()

    def postponed(self, parcel: Parcel, reason: str) -> None:
        self._failed(reason)
        metrics.RETRIED.inc()

    def given_up(self, parcel: Parcel, reason: str) -> None:
        self._under_way -= 1
        self._bury(parcel, reason)

    def _bury(self, parcel: Parcel, reason: str) -> None:
        self._settle_all(parcel.seqs)
        self._failed(reason)
        metrics.DEAD.inc()
        entity_id, event = parcel.key[2], parcel.seqs[-1] if parcel.seqs else 0
        self._around.bury(
            DeadLetter(
                *self.key,
                self._around.clock(),
                entity_id,
                event,
                parcel.endpoint.shown_uri,
                reason[:_LONGEST_REASON],
                parcel.attempts,
                parcel.body,
                parcel.headers,
            )
        )

    def is_overdue(self, parcel: Parcel) -> bool:
        return self.is_over(parcel.at, parcel.seqs[0] if parcel.seqs else self._around.newest())

    @property
    def has_news(self) -> bool:
        """Whether anything was sent, taken or failed since it was saved last."""
        note = self._note
        return bool(note.sent or note.failed) or note.last_success is not None

    def take_note(self, *, final: bool = False) -> Note | None:
        """What is to be saved now; an idle one's position alone is worth a write now and then only."""
        now_s, position = self._loop.time(), self.position()
        is_busy = self.has_news
        has_moved = position != self._saved_position
        if not (is_busy or (has_moved and (final or now_s - self._saved_at_s >= _SAVE_IDLE_EVERY_S))):
            return None
        note = msgspec.structs.replace(self._note, position=position if has_moved else None)
        self._note, self._saved_position, self._saved_at_s = self._blank(), position, now_s
        return note

    def let_go_of_old_holds(self) -> None:
        """What is held back keeps events in the outbox no longer than a dead endpoint: beyond, a crash loses it."""
        for seq in [seq for seq in self._held_seqs if self.is_over(self.pending[seq], seq)]:
            self._held_seqs.discard(seq)
            del self.pending[seq]

    def is_over(self, at: Instant, seq: int) -> bool:
        """Whether it is too late to tell an event, or whatever else waits since."""
        limits = self._around.limits
        return self._around.clock() - at > limits.give_up_after or self._around.newest() - seq > limits.backlog_events

    def _throttle(self) -> None:
        self._release_at_s = self._loop.time() + self.subscription.throttling / SECOND

    def _hold(self, occurrence: Occurrence, linked: Linked | None) -> None:
        """The latest state of an entity wins, and is all that is waited for."""
        if linked is not None:
            self._held_linked[occurrence.entity.id] = linked
        if (before := self._held.get(occurrence.entity.id)) is not None:
            self._held_seqs.discard(before.seq)
            self.pending.pop(before.seq, None)
        self._held[occurrence.entity.id] = occurrence
        self._held_seqs.add(occurrence.seq)
        self.pending[occurrence.seq] = occurrence.at
        if self._release is None:
            self._release = self._loop.call_at(self._release_at_s, self._let_out)

    def _let_out(self) -> None:
        self._release = None
        if not self._held:
            return
        if self.lane.is_full:
            self._release = self._loop.call_later(1.0, self._let_out)
            return
        self._throttle()
        held, seqs = tuple(self._held.values()), tuple(sorted(self._held_seqs))
        linked = merged(self._held_linked.values())
        self._held, self._held_seqs, self._held_linked = {}, set(), {}
        if self.subscription.status(self._around.clock()) is not Status.ACTIVE:
            self._settle_all(seqs)
            return
        now = self._around.clock()
        message = self._write(lambda: write_merged(self.subscription, self._shape, self.context, held, now, linked))
        if message is None:
            self._settle_all(seqs)
            return
        self._send(self._parcel("", seqs, min(one.at for one in held), message))

    def _write(self, write: Callable[[], Message]) -> Message | None:
        """None where no notification can be made of it; that is told."""
        try:
            return write()
        except (ParvisError, ValueError, TypeError, LookupError) as error:
            _log.error("no notification could be made", extra={"subscription": self.subscription.id}, exc_info=error)
            self._failed(Cause.NOT_MADE.say(fault=error))
            return None

    def _parcel(self, entity_id: str, seqs: tuple[int, ...], at: Instant, message: Message) -> Parcel:
        endpoint = self.subscription.notification.endpoint
        return Parcel(self, (*self.key, entity_id), seqs, at, endpoint, message.headers, message.body)

    def _send(self, parcel: Parcel, *, is_over: bool = False) -> None:
        for seq in parcel.seqs:
            self.pending[seq] = parcel.at
        if is_over:
            self._bury(parcel, Cause.TOO_LATE.say())
        else:
            self._under_way += 1
            self.lane.put(parcel)

    def _settle_all(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            self.pending.pop(seq, None)

    def _failed(self, reason: str) -> None:
        note = self._note
        self._note = msgspec.structs.replace(
            note,
            failed=note.failed + 1,
            last_failure=self._around.clock(),
            last_reason=reason[:_LONGEST_REASON],
        )
        metrics.FAILED.inc()

    def _blank(self) -> Note:
        return Note(*self.key)
