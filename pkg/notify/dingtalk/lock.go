package dingtalk

import (
	"context"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// lockTime is how long DingTalk shuts a robot that has sent too much
// (open.dingtalk.com, custom-robots-send-group-messages).
const lockTime = 10 * time.Minute

// lockKey is where all instances read until when a robot is shut.
func lockKey(target string) string { return keyspace.Channel + target + "/shut" }

// shut returns an error while the robot is known to be shut, so that nobody
// knocks at it. A store that is out of reach keeps no message back.
func (r *robot) shut(ctx context.Context, target string) error {
	if r.env.Store == nil {
		return nil
	}
	var until time.Time
	items, err := r.env.Store.Get(ctx, lockKey(target))
	if err != nil || until.UnmarshalText(items[0].Value) != nil {
		return nil
	}
	wait := until.Sub(r.env.Now())
	if wait <= 0 || wait > lockTime { // of a clock that was wrong
		return nil
	}
	return &notify.Error{
		Class:      notify.Rate,
		Message:    "the robot sent more than its 20 messages in a minute, and DingTalk keeps it shut for another " + wait.Round(time.Second).String(),
		RetryAfter: wait,
	}
}

// lock tells all instances that the robot is shut from now.
func (r *robot) lock(ctx context.Context, target string) {
	if r.env.Store == nil {
		return
	}
	now := r.env.Now()
	until, err := now.Add(lockTime).MarshalText()
	if err != nil {
		return
	}
	_ = r.env.Store.Commit(ctx, now, store.Change{Key: lockKey(target), Value: until, Expires: now.Add(lockTime)})
}
