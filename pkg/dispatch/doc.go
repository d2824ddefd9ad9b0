// Package dispatch turns alerts into notifications, with Alertmanager's grouping,
// muting and deduplication, on state that lives in a store. [Engine.Ingest] stores
// alerts in their groups; [Engine.Tick] flushes the groups that are due and delivers
// their notifications. Both may run on any number of instances, which may be killed
// after any instruction.
//
// # A flush
//
// A group is flushed group_wait after its first alert, then every group_interval,
// and earlier for repeat_schedule and resolved_at_once. A flush has three steps:
// loadGroup reads the group and the mute status of its alerts; plan decides, as a
// pure function of these and the time, which integrations are notified, which logs
// are written and when the group is due next; commitFlush writes all of that in one
// commit, with the leases of the notifications held by this instance. Only then does
// the outbox send them.
//
// # Stored items
//
//	alert/FINGERPRINT                 an alert and the groups that it is in
//	group/GROUP                       a group's header, due at its next flush
//	member/GROUP/FINGERPRINT          an alert of a group
//	log/GROUP/RECEIVER/CHANNEL/INDEX  the last notification: Alertmanager's nflog
//	meta/tick                         the time of the last tick
//	meta/intake                       when alerts could last be received, and the outages
//
// Packages silence, inhibit and outbox store the rest. GROUP is the ID of a
// [route.Group]. Everything is removed without a job of its own: alerts and logs
// expire, and a group is deleted by the flush after which it is empty.
//
// # Guarantees
//
//   - When Ingest returns nil, the alerts survive a crash.
//   - A group's new state and its notifications are one commit, so that a crash
//     neither loses nor repeats them; see package outbox for the delivery.
//   - A flush that conflicts with another instance, or with an alert that arrives
//     meanwhile, is decided again from the new state.
//   - A late tick does not shift the schedule: due times are previous due time plus
//     interval, and a repetition counts from the scheduled time of the last.
//   - The end of an alert that its source renews is extended by the time in which
//     nothing could be received; see [Engine.RecordIntake].
//   - A stored time that is further ahead than any timer allows is corrected.
//   - An item that cannot be read, because it is damaged or a newer version wrote it,
//     is logged and affects nothing else: an alert is replaced when it is sent again,
//     a group's header is derived from its alerts, and an integration whose log is
//     unreadable is notified again.
package dispatch
