package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps of ListOffsets that are none.
const (
	latest   = -1
	earliest = -2
)

// question is what offset a partition had at a time, in milliseconds, or at
// latest or earliest: that of the first message which is not older.
type question struct {
	place
	time int64
}

// answer is the offset, -1 when every message is older, and the time of the
// message there.
type answer struct {
	offset, time int64
	err          *Error
}

// offsets answers questions, all at the same time. It takes one request for each
// leader, and one more for each time that one partition is asked about again: a
// broker refuses a partition that stands twice in a request. What the wrong
// broker was asked is asked once more.
func (r *Reader) offsets(ctx context.Context, layouts map[string]*layout, questions []question) []answer {
	answers := make([]answer, len(questions))
	all := make([]int, len(questions))
	for i := range all {
		all[i] = i
	}
	r.askLeaders(ctx, layouts, questions, all, answers)

	var again []int
	topics := map[string]bool{}
	for i := range answers {
		if answers[i].err != nil && answers[i].err.moved {
			again = append(again, i)
			topics[questions[i].topic] = true
		}
	}
	if len(again) == 0 || ctx.Err() != nil {
		return answers
	}
	own, cancel := share(ctx, 2)
	fresh, err := r.layouts(own, sortedKeys(topics))
	cancel()
	if err == nil {
		r.askLeaders(ctx, fresh, questions, again, answers)
	}
	return answers
}

// errand is one request: which leader, and how often it is asked already about
// one of the partitions.
type errand struct {
	leader int32
	nth    int
}

// askLeaders answers the questions whose numbers are in which.
func (r *Reader) askLeaders(ctx context.Context, layouts map[string]*layout, questions []question, which []int, answers []answer) {
	errands := map[errand][]int{}
	asked := make(map[place]int, len(which))
	for _, i := range which {
		p := questions[i].place
		leader, err := layouts[p.topic].leader(p)
		if err != nil {
			answers[i] = answer{err: err}
			continue
		}
		e := errand{leader, asked[p]}
		asked[p]++
		errands[e] = append(errands[e], i)
	}
	each(errands, func(e errand, which []int) { r.askLeader(ctx, e.leader, questions, which, answers) })
}

func (r *Reader) askLeader(ctx context.Context, leader int32, questions []question, which []int, answers []answer) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = r.isolation
	at := make(map[place]int, len(which))
	topics := map[string]int{}
	for _, i := range which {
		q := &questions[i]
		t, ok := topics[q.topic]
		if !ok {
			t = len(req.Topics)
			topics[q.topic] = t
			req.Topics = append(req.Topics, kmsg.NewListOffsetsRequestTopic())
			req.Topics[t].Topic = q.topic
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = q.partition, q.time
		req.Topics[t].Partitions = append(req.Topics[t].Partitions, p)
		at[q.place] = i
	}
	resp, err := ask[*kmsg.ListOffsetsResponse](ctx, r, leader, req)
	if err == nil && resp.Version < 1 {
		err = tooOld() // it has no offset to give, and 0 would be taken for one
	}
	if err != nil {
		for _, i := range which {
			answers[i] = answer{err: err}
		}
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			where := place{t.Topic, p.Partition}
			if i, ok := at[where]; ok {
				delete(at, where) // said twice, the first holds
				answers[i] = answer{p.Offset, p.Timestamp, refused(p.ErrorCode, where.subject())}
			}
		}
	}
	for where, i := range at {
		answers[i] = answer{err: senseless(where.subject())}
	}
}

// bound is where a partition begins and ends.
type bound struct {
	start, end int64
	err        *Error
}

// bounds reads where all partitions begin and end.
func (r *Reader) bounds(ctx context.Context, layouts map[string]*layout) map[place]bound {
	var questions []question
	for _, topic := range sortedKeys(layouts) {
		for _, p := range layouts[topic].partitions {
			where := place{topic, p.id}
			questions = append(questions, question{where, earliest}, question{where, latest})
		}
	}
	answers := r.offsets(ctx, layouts, questions)
	bounds := make(map[place]bound, len(questions)/2)
	for i := 0; i < len(questions); i += 2 {
		start, end := answers[i], answers[i+1]
		b := bound{start: start.offset, end: end.offset, err: end.err}
		switch {
		case b.err != nil:
		case start.err != nil:
			b.err = start.err
		case b.start < 0 || b.end < 0:
			b.err = senseless(questions[i].subject())
		}
		bounds[questions[i].place] = b
	}
	return bounds
}
