package lag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

const (
	// agePrecision is the precision of queried ages.
	agePrecision = time.Second
	// maxAgeQueries bounds for how many partitions an exact age is queried.
	maxAgeQueries = 1000
)

// ageQuery is a query for the age of a partition's oldest unread message.
type ageQuery struct {
	GroupPartition
	group     *Group
	partition *Partition    // receives the Age
	limit     time.Duration // the lowest max_delay; 0 without one
	allowed   int64         // the least allowed lag of those rules
	// timestamps is whether a rule takes the age from timestamps only.
	timestamps bool
}

// queryAges sets the Age of the partitions of topics for which a rule has max_delay;
// with AllAges, of all. An AgeReader is asked whether each exceeds the rules'
// thresholds, and for the exact age of those that do. With any other reader, and where
// timestamps are missing or in the future, the ages follow from the log ends in the
// window.
func (p *Poller) queryAges(ctx context.Context, e *Evaluator, reader Reader, snap *Snapshot, now time.Time) {
	queries, thresholds := p.ageQueries(e, snap)
	if len(queries) == 0 {
		return
	}
	ages, ok := reader.(AgeReader)
	if ok {
		byAllowed := map[int64][]ageQuery{} // usually all have the same
		for _, q := range queries {
			byAllowed[q.allowed] = append(byAllowed[q.allowed], q)
		}
		for allowed, queries := range byAllowed {
			p.readAges(ctx, allowed, ages, queries, thresholds, now)
		}
	}
	setAgesFromHistory(snap.Trend, queries, now, ok)
}

// readAges sets the ages that an AgeReader returns of partitions with an allowed lag.
func (p *Poller) readAges(ctx context.Context, allowed int64, ages AgeReader, queries []ageQuery, thresholds []time.Duration, now time.Time) {
	exact := queries
	if len(thresholds) > 0 {
		checkThresholds(ctx, ages, queries, thresholds, allowed, now)
		if !p.AllAges {
			exact = slices.DeleteFunc(slices.Clone(queries), func(q ageQuery) bool { return q.partition.Age.AtLeast <= q.limit })
		}
	} else if !p.AllAges {
		return
	}
	setExactAges(ctx, ages, exact, allowed, now)
}

// ageQueries returns the queries of a poll, and the thresholds of the rules in
// ascending order.
func (p *Poller) ageQueries(e *Evaluator, snap *Snapshot) (queries []ageQuery, thresholds []time.Duration) {
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			topic := &g.Topics[t]
			limit, timestamps, allowed := time.Duration(0), false, int64(math.MaxInt64)
			for _, r := range e.rules {
				if r.MaxDelay == 0 || r.DelaySource == FromHistory || !r.matches(g.Name, topic.Name) {
					continue
				}
				if limit == 0 || r.MaxDelay.Std() < limit {
					limit = r.MaxDelay.Std()
				}
				timestamps = timestamps || r.DelaySource == FromTimestamps
				allowed = min(allowed, e.allowed(r.Rule))
				thresholds = append(thresholds, r.MaxDelay.Std())
				if r.ClearBelowDelay > 0 {
					thresholds = append(thresholds, r.ClearBelowDelay.Std())
				}
			}
			if limit == 0 && !p.AllAges || topic.Unsubscribed {
				continue
			}
			if limit == 0 {
				allowed = e.allowedLag
			}
			for i := range topic.Partitions {
				part := &topic.Partitions[i]
				if allowed := part.allowed(allowed); part.Known && part.Lag > allowed {
					queries = append(queries, ageQuery{GroupPartition{g.Name, topic.Name, *part}, g, part, limit, allowed, timestamps})
				}
			}
		}
	}
	slices.Sort(thresholds)
	return queries, slices.Compact(thresholds)
}

// checkThresholds sets the ages to the bounds that follow from comparing them with
// the thresholds.
func checkThresholds(ctx context.Context, r AgeReader, queries []ageQuery, thresholds []time.Duration, allowedLag int64, now time.Time) {
	counts := r.CountOlder(ctx, now, groupPartitions(queries), thresholds)
	for i, q := range queries {
		age := &Age{AtMost: trend.Never, Source: FromTimestamps}
		for t, threshold := range thresholds {
			switch c := counts[i][t]; {
			case !c.Known:
				age.Reason = c.Reason
			case c.Messages > allowedLag:
				age.AtLeast, age.Known = threshold+1, true
			default:
				age.AtMost, age.Known = min(age.AtMost, threshold), true
			}
		}
		q.partition.Age = age
	}
}

// setPartialErr records in the group that the age is not known.
func (q *ageQuery) setPartialErr() {
	if q.group.PartialErr != nil {
		return
	}
	topic, id := q.Topic, q.ID
	q.group.PartialErr = &partialError{errors.New(q.partition.Age.Reason), func(m *messages, cause string) string {
		return fmt.Sprintf(m.ageUnknown, topic, id, cause)
	}}
}

// setExactAges queries exact ages; of too many partitions, those with the highest
// lag. Bounds that are known already still apply.
func setExactAges(ctx context.Context, r AgeReader, queries []ageQuery, allowedLag int64, now time.Time) {
	if len(queries) > maxAgeQueries {
		queries = slices.SortedStableFunc(slices.Values(queries), func(a, b ageQuery) int { return cmp.Compare(b.Lag, a.Lag) })[:maxAgeQueries]
	}
	if len(queries) == 0 {
		return
	}
	for i, age := range r.ReadAges(ctx, now, groupPartitions(queries), allowedLag, agePrecision) {
		p := queries[i].partition
		age.Source = FromTimestamps
		switch {
		case p.Age == nil, age.NoTimestamp, age.AfterGap: // the bounds do not hold
			p.Age = &age
		case age.Known:
			p.Age.AtLeast = max(p.Age.AtLeast, age.AtLeast)
			p.Age.AtMost = max(min(p.Age.AtMost, age.AtMost), p.Age.AtLeast)
		}
	}
}

func groupPartitions(queries []ageQuery) []GroupPartition {
	out := make([]GroupPartition, len(queries))
	for i := range queries {
		out[i] = queries[i].GroupPartition
	}
	return out
}

// setAgesFromHistory sets the ages that are not known to those that follow from the
// window. With report, the cause of one that is still not known is a failure of its
// group.
func setAgesFromHistory(w *trend.Window, queries []ageQuery, now time.Time, report bool) {
	for _, q := range queries {
		if q.partition.Age != nil && q.partition.Age.Known {
			continue
		}
		age := ageFromHistory(w, q.Topic, q.partition, q.allowed, now)
		reads := q.partition.Age != nil // the reader reads ages
		if report && reads && (!age.Known || q.timestamps) {
			q.setPartialErr()
		}
		if age.Known || !reads && w != nil {
			q.partition.Age = &age
		}
	}
}

// ageFromHistory returns the age that follows from the window: the oldest unread message
// was written between the two polls whose log ends enclose its offset.
func ageFromHistory(w *trend.Window, topic string, p *Partition, allowedLag int64, now time.Time) (age Age) {
	if w != nil {
		age.AtLeast, age.AtMost, age.Known = w.Age(topic, p.ID, max(p.Committed, p.Start)+allowedLag, now)
	}
	if age.Source = FromHistory; !age.Known {
		age.Reason = "there is no history of it yet"
	}
	return age
}
