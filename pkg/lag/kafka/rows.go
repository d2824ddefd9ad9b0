package kafka

import (
	"cmp"
	"slices"

	"tocsin/pkg/lag"
)

// rows puts together what is known of a group: for each topic in which it has
// committed, all partitions that the topic has now. A topic that is no more is
// left out, and so is a commit in a partition that is no more.
func (r *Reader) rows(g *group, layouts map[string]*layout, bounds map[place]bound) lag.Group {
	out := lag.Group{Name: g.name, Complete: g.err == nil}
	first := g.err
	for from := 0; from < len(g.commits); {
		topic, to := g.commits[from].topic, from+1
		for to < len(g.commits) && g.commits[to].topic == topic {
			to++
		}
		commits := g.commits[from:to]
		from = to
		l := layouts[topic]
		if l == nil {
			continue
		}
		t, err := topicRows(topic, l, commits, bounds)
		if first == nil {
			first = err
		}
		out.Topics = append(out.Topics, t)
	}
	if first != nil {
		out.Err = first
	}
	return out
}

// topicRows returns the rows of one topic, and the first failure in them.
func topicRows(topic string, l *layout, commits []commit, bounds map[place]bound) (t lag.Topic, first *Error) {
	t.Name = topic
	if l.err != nil {
		for _, c := range commits {
			t.Partitions = append(t.Partitions, lag.Partition{ID: c.partition, Committed: max(c.at, -1), End: -1, Reason: l.err.en})
		}
		return t, l.err
	}
	t.Partitions = make([]lag.Partition, len(l.partitions))
	for i, p := range l.partitions {
		where := place{topic, p.id}
		c := commit{at: -1}
		if j, ok := slices.BinarySearchFunc(commits, p.id, func(c commit, id int32) int { return cmp.Compare(c.partition, id) }); ok {
			c = commits[j]
		}
		row, err := newRow(p.id, c, bounds[where])
		t.Partitions[i] = row
		if first == nil {
			first = err
		}
	}
	return t, first
}

// newRow returns a row, and what failed in it.
func newRow(id int32, c commit, b bound) (lag.Partition, *Error) {
	row := lag.Partition{ID: id, Committed: max(c.at, -1), Start: b.start, End: b.end}
	if b.err != nil {
		row.Start, row.End = 0, -1
	}
	switch err := cmp.Or(c.err, b.err); {
	case err != nil:
		row.Reason = err.en
		return row, err
	case c.at < 0:
		row.Reason = lag.NoCommit
	default:
		row.Known = true
		row.Lag = max(0, b.end-max(c.at, b.start))
		row.Lost = max(0, b.start-c.at)
	}
	return row, nil
}
