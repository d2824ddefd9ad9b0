// Package outbox delivers notifications: it queues them, leases them to one
// instance at a time, sends them, retries, keeps to the quotas of channels, and
// hands what a receiver rejects to its fallback. It knows receivers and
// integrations by name and nothing of routes or groups.
//
// # Life of a notification
//
// [Outbox.Enqueue] returns the changes that store a notification as due. The caller
// commits them together with whatever made the notification necessary. Any instance
// delivers it: by the [Workers] of a server, which go on, or by the [Run] of a tick,
// which ends when nothing is due. They lease due entries to one worker for each
// integration, in batches that take five seconds or less, and the worker attempts
// them one after another. An integration that hangs delays no other: it holds one
// worker with one attempt, of 45 s at most, and its other entries are given back
// meanwhile.
//
// An attempt has one of these results:
//
//   - The channel accepted every unit of it: the entry is deleted. Optional
//     messages, such as charts, may follow when the integration has nothing else to send.
//   - The failure is transient: the entry is due again after a backoff that doubles
//     from 0.5 s to 5 min, or later if the channel asks for it. Units that were
//     accepted are not sent again.
//   - The failure is permanent, or attempts have failed for the receiver's
//     FallbackAfter (24 h without a fallback): the notification is enqueued for the
//     fallback receiver. If there is none, or this is the fallback's notification
//     already, it becomes a dead letter. Unless something of it was accepted, or may
//     have been, it also stays in the outbox, due at the next flush of its group,
//     while an alert of it fires and for 24 h. Config.Current updates its alerts
//     before that attempt. It is deleted when a channel of the fallback accepts it.
//   - The channel's quota is used up: the entry waits until the quota allows it.
//     When a quota is too small for all waiting notifications of one integration,
//     they are merged into a digest first.
//
// # Stored items
//
//	owed/ID      a notification to deliver, due at its next attempt (an [Entry])
//	pace/TARGET  when a target was sent messages lately, for quotas
//	dead/ID      a dead letter, kept for 30 days
//
// An ID is QUEUE-MILLISECONDS, where QUEUE hashes the group, the receiver and the
// integration, and the time is that of the scheduled flush. The muted alerts of a
// refused notification have the time of that attempt appended. Fallbacks and digests
// have a hash of the IDs that they replace. Earlier versions split a notification of more
// than 512 KiB into several, and appended -1, -2, … to their IDs.
//
// # Guarantees
//
//   - Delivery is at least once: a notification is sent again if the process is
//     killed, or frozen for longer than its lease, between a channel's acceptance and
//     the commit that records it, or that commit fails. Then the instance sends nothing
//     more: at most one notification of each integration is repeated. It is also sent
//     again if the channel's answer is lost, and if it has several messages of which a
//     later one is too long.
//   - Channels whose Kind has AtMostOnce (SMS, voice) are at most once: after an
//     attempt with an unknown outcome the notification goes to the fallback instead. An
//     attempt begins with a commit that confirms the lease.
//   - A lease carries its instance and holds for 25 s, and its holder renews it every
//     8 s while it sends. An instance is thus alive for as long as it renews, without a
//     registry of instances: 25 s after its death another one takes over. On a store
//     with one owner, [Outbox.ReleaseLeases] ends the leases of the owner before at once.
//     A holder that cannot renew, or was frozen, sends nothing when 20 s have passed by
//     the wall clock, and its result is dropped as a conflict. The clocks of instances
//     may differ by 5 s.
//   - The notifications of one integration are sent by each instance one after another
//     in the order in which they were scheduled. A newer notification of the same group
//     replaces those that still wait, lists the alerts which only they contained, and
//     waits for those that another instance sends.
//   - An item that cannot be read is logged and delays no other: an entry is retried
//     every 10 minutes, for a newer version to deliver it.
package outbox
