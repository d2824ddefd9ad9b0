package kafka

import (
	"context"

	"tocsin/pkg/lag"
)

// Verify implements lag.Verifier. Brokers leave groups out of their lists while the
// partition of __consumer_offsets that has them is offline, and groups and topics that
// the user may not describe. A group is gone when its coordinator answers that it has
// no commits, and a topic of a group when it is not denied.
//
// It makes one request to find the coordinators of groups and one to each of them, and
// one about the topics, two if one is gone.
func (r *Reader) Verify(ctx context.Context, missing []lag.Group) []lag.Group {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	var groups []*group
	var partial []lag.Group
	for _, g := range missing {
		if len(g.Topics) == 0 {
			groups = append(groups, &group{name: g.Name})
		} else {
			partial = append(partial, g)
		}
	}
	return append(r.verifyGroups(ctx, groups), r.verifyTopics(ctx, partial)...)
}

// verifyGroups reads groups and returns those that are not gone.
func (r *Reader) verifyGroups(ctx context.Context, groups []*group) (out []lag.Group) {
	ctx, cancel := splitDeadline(ctx, 2)
	defer cancel()
	r.fetchFromCoordinators(ctx, groups)
	read, err := r.addOffsets(ctx, groups)
	if err != nil {
		for _, g := range groups {
			out = append(out, lag.Group{Name: g.name, Err: err})
		}
		return out
	}
	for _, g := range read {
		if g.Err != nil || len(g.Topics) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// verifyTopics returns the topics of groups that are not gone. A topic that the user
// may describe was left out because the group has no commits in it.
func (r *Reader) verifyTopics(ctx context.Context, groups []lag.Group) (out []lag.Group) {
	names := map[string]bool{}
	for _, g := range groups {
		for _, t := range g.Topics {
			names[t.Name] = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	layouts, err := r.layouts(ctx, sortedKeys(names))
	for _, g := range groups {
		found := lag.Group{Name: g.Name}
		for _, t := range g.Topics {
			topicErr := err
			if l := layouts[t.Name]; err == nil && l != nil {
				topicErr = l.err
			}
			if topicErr != nil {
				found.Topics, found.Err = append(found.Topics, lag.Topic{Name: t.Name}), topicErr
			}
		}
		if found.Err != nil {
			out = append(out, found)
		}
	}
	return out
}
