package lag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

const (
	// precision is how exactly the age of a message is asked for.
	precision = time.Second
	// maxAged bounds for how many rows it is.
	maxAged = 1000
)

// aged is a row whose age is asked for.
type ageQuery struct {
	GroupPartition
	group *Group
	at    *Partition
	limit time.Duration // the lowest max_delay; 0 without one
}

// ages puts the age of the oldest unread message to the rows of topics for which
// a rule has max_delay, and of no others. A Timer says whether that is above the
// rules' limits, and for those where it is, how old; otherwise it follows from
// where the ends of the partitions were.
func (l *Poller) ages(ctx context.Context, j *Evaluator, by Reader, snap *Snapshot, now time.Time) {
	rows, thresholds := l.wanted(j, snap)
	if len(rows) == 0 {
		return
	}
	timer, ok := by.(AgeReader)
	if !ok {
		agesFromHistory(snap.Trend, rows, j.allowed, now)
		return
	}
	late := rows
	if len(thresholds) > 0 {
		checkThresholds(ctx, timer, rows, thresholds, j.allowed, now)
		if !l.AllAges {
			late = slices.DeleteFunc(slices.Clone(rows), func(r ageQuery) bool { return r.at.Age.AtLeast <= r.limit })
		}
	} else if !l.AllAges {
		return
	}
	queryAges(ctx, timer, late, j.allowed, now)
}

// wanted returns the rows to ask about, and the limits of their rules in order.
func (l *Poller) wanted(j *Evaluator, snap *Snapshot) (rows []ageQuery, thresholds []time.Duration) {
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			topic := &g.Topics[t]
			limit := time.Duration(0)
			for _, r := range j.rules {
				if r.MaxDelay == 0 || !r.matches(g.Name, topic.Name) {
					continue
				}
				if limit == 0 || r.MaxDelay.Std() < limit {
					limit = r.MaxDelay.Std()
				}
				thresholds = append(thresholds, r.MaxDelay.Std())
				if r.ClearBelowDelay > 0 {
					thresholds = append(thresholds, r.ClearBelowDelay.Std())
				}
			}
			if limit == 0 && !l.AllAges || topic.Unsubscribed {
				continue
			}
			for p := range topic.Partitions {
				if at := &topic.Partitions[p]; at.Known && at.Lag > j.allowed {
					rows = append(rows, ageQuery{GroupPartition{g.Name, topic.Name, *at}, g, at, limit})
				}
			}
		}
	}
	slices.Sort(thresholds)
	return rows, slices.Compact(thresholds)
}

// compare asks whether rows are older than thresholds.
func checkThresholds(ctx context.Context, timer AgeReader, rows []ageQuery, thresholds []time.Duration, allowed int64, now time.Time) {
	answers := timer.CountOlder(ctx, now, asked(rows), thresholds)
	for i, r := range rows {
		r.at.Age = &Age{AtMost: trend.Never}
		for t, limit := range thresholds {
			switch a := answers[i][t]; {
			case !a.Known:
				r.at.Age.Reason = a.Reason
			case a.Messages > allowed:
				r.at.Age.AtLeast, r.at.Age.Known = limit+1, true
			default:
				r.at.Age.AtMost, r.at.Age.Known = min(r.at.Age.AtMost, limit), true
			}
		}
		if !r.at.Age.Known {
			r.dim()
		}
	}
}

// dim notes that the age of a row is not known, in the row's group.
func (r *ageQuery) dim() {
	if r.group.PartialErr != nil {
		return
	}
	topic, id := r.Topic, r.ID
	r.group.PartialErr = &partial{errors.New(r.at.Age.Reason), func(w *messages, cause string) string {
		return fmt.Sprintf(w.ageless, topic, id, cause)
	}}
}

// measure asks how old rows are, of too many those that lag most. What was known
// of them before stays true.
func queryAges(ctx context.Context, timer AgeReader, rows []ageQuery, allowed int64, now time.Time) {
	if len(rows) > maxAged {
		rows = slices.SortedStableFunc(slices.Values(rows), func(a, b ageQuery) int { return cmp.Compare(b.Lag, a.Lag) })[:maxAged]
	}
	if len(rows) == 0 {
		return
	}
	for i, age := range timer.ReadAges(ctx, now, asked(rows), allowed, precision) {
		at := rows[i].at
		switch {
		case at.Age == nil:
			at.Age = &age
		case age.Known:
			at.Age.AtLeast = max(at.Age.AtLeast, age.AtLeast)
			at.Age.AtMost = max(min(at.Age.AtMost, age.AtMost), at.Age.AtLeast)
		}
	}
}

func asked(rows []ageQuery) []GroupPartition {
	out := make([]GroupPartition, len(rows))
	for i := range rows {
		out[i] = rows[i].GroupPartition
	}
	return out
}

// reckon tells the age of rows from where the ends of their partitions were at
// the polls that are remembered: between which two of them the message came.
func agesFromHistory(w *trend.Window, rows []ageQuery, allowed int64, now time.Time) {
	if w == nil {
		return
	}
	for _, r := range rows {
		age := Age{}
		age.AtLeast, age.AtMost, age.Known = w.Age(r.Topic, r.ID, max(r.Committed, r.Start)+allowed, now)
		if !age.Known {
			age.Reason = "there is no history of it yet"
		}
		r.at.Age = &age
	}
}
