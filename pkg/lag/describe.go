package lag

import (
	"context"
	"fmt"
	"slices"

	"tocsin/pkg/lag/trend"
)

// describe asks who reads for the groups that have stopped to commit, and for
// those that have topics which nobody read. It is asked before the window takes
// the poll in, which wants to know, and then of those that have stopped just now.
func (l *Poller) describe(ctx context.Context, j *Evaluator, d Describer, snap *Snapshot) {
	var which []int
	for i := range snap.Groups {
		g := &snap.Groups[i]
		if g.State == "" && g.PartialErr == nil && (len(l.unsubscribed(g.Name)) > 0 || j.frozen(l.Window, g)) {
			which = append(which, i)
		}
	}
	if len(which) == 0 {
		return
	}
	asked := make([]Group, len(which))
	for n, i := range which {
		asked[n] = snap.Groups[i]
	}
	err := d.Describe(ctx, asked)
	for n, i := range which {
		g := &asked[n]
		if g.State == "" {
			l.undescribed(g, err)
		}
		snap.Groups[i] = *g
	}
}

// undescribed is of a group that was not described: the cluster knows nobody who
// reads for it, or could not tell, and then what was known of it stays.
func (l *Poller) undescribed(g *Group, err error) {
	if err == nil {
		g.State = "Dead"
		return
	}
	for t := range g.Topics {
		topic := &g.Topics[t]
		topic.Unsubscribed = slices.Contains(l.unsubscribed(g.Name), topic.Name)
	}
	g.PartialErr = &partial{err, func(w *messages, cause string) string { return fmt.Sprintf(w.undescribed, cause) }}
}

// unsubscribed are the topics of a group that nobody read at the last poll.
func (l *Poller) unsubscribed(group string) []string {
	if l.State == nil {
		return nil
	}
	return l.State.Unsubscribed[group]
}

// frozen tells that by what the window has seen the group commits nothing in a
// partition, and has messages to read there.
func (j *Evaluator) frozen(w *trend.Window, g *Group) bool {
	for t := range g.Topics {
		topic := &g.Topics[t]
		behind := func(p Partition) bool { return p.Known && p.Lag > j.allowed }
		if !slices.ContainsFunc(topic.Partitions, behind) {
			continue
		}
		if s := w.Topic(g.Name, topic.Name, j.allowed).State; s == trend.Stalled || s == trend.Stopped {
			return true
		}
	}
	return false
}
