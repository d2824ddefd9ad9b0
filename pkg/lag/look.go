package lag

import (
	"context"
	"errors"
	"time"

	"tocsin/pkg/lag/trend"
)

// Look reads one cluster and asks on for what its rules need to know beyond its
// lag: how old unread messages are, who reads for the groups that seem to stand
// still, and what the last polls tell.
type Poller struct {
	Config  *Config
	Cluster string
	Reader  Reader
	// State and Window are what the last poll remembered; nil for nothing. The
	// Window takes this poll in.
	State  *ClusterState
	Window *trend.Window
	// Ages asks for the age of unread messages of all rows, not only of those for
	// which a rule has max_delay.
	AllAges bool
}

// Take reads the cluster. Its error is the Reader's. What it could not learn
// beyond the lag of a group is in that Group's Dim.
func (l *Poller) Poll(ctx context.Context, now time.Time) (*Snapshot, error) {
	read, err := l.Reader.Read(ctx)
	if err == nil && read == nil {
		err = errors.New("the reader returned nothing")
	}
	if err != nil {
		return nil, err
	}
	snap := *read
	by := snap.Reader
	if by == nil {
		by = l.Reader
	}
	j := l.Config.judge(l.Cluster, "")
	if l.Window != nil {
		d, ok := by.(Describer)
		if ok {
			l.describe(ctx, j, d, &snap)
		}
		l.Window.Add(now, trends(&snap), snap.Complete && snap.Err == nil, true)
		if ok {
			l.describe(ctx, j, d, &snap)
		}
		snap.Trend = l.Window
	}
	l.ages(ctx, j, by, &snap, now)
	return &snap, nil
}

// remembers tells that the rules need more of the last polls than their picture.
// How old messages are a Timer says better than any history; but of a cluster
// with two ways one is none.
func (j *Evaluator) remembers(r Reader) bool {
	_, timer := r.(AgeReader)
	for i := range j.rules {
		switch r := &j.rules[i]; {
		case len(r.Status) > 0, r.GrowingFor > 0, r.MaxDelay > 0 && !timer:
			return true
		}
	}
	return false
}

// trends is the snapshot in the form that a Window takes.
func trends(snap *Snapshot) []trend.Group {
	n := 0
	for i := range snap.Groups {
		for _, t := range snap.Groups[i].Topics {
			n += len(t.Partitions)
		}
	}
	partitions := make([]trend.Partition, 0, n)
	out := make([]trend.Group, len(snap.Groups))
	for i := range snap.Groups {
		g := &snap.Groups[i]
		out[i] = trend.Group{Name: g.Name, Members: members(g), Complete: g.Complete && g.Err == nil, Topics: make([]trend.Topic, len(g.Topics))}
		for t := range g.Topics {
			topic, from := &g.Topics[t], len(partitions)
			for _, p := range topic.Partitions {
				row := trend.Partition{ID: p.ID}
				if p.Known {
					row = trend.Partition{ID: p.ID, Committed: p.Committed, End: p.End, Start: p.Start, Lag: p.Lag, Known: true}
				}
				partitions = append(partitions, row)
			}
			out[i].Topics[t] = trend.Topic{Name: topic.Name, Unsubscribed: topic.Unsubscribed, Partitions: partitions[from:len(partitions):len(partitions)]}
		}
	}
	return out
}

func members(g *Group) trend.Members {
	switch {
	case g.State == "":
		return trend.MembersUnknown
	case len(g.Members) == 0:
		return trend.NoMembers
	default:
		return trend.HasMembers
	}
}
