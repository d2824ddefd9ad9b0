package kafka

import (
	"context"
	"time"

	"tocsin/pkg/lag"
)

// maxRounds bounds a search. Each round halves what is not known: 30 of them
// make a second of thirty years.
const maxRounds = 30

// Age tells for each of rows, which Read returned a moment ago, how old its
// oldest unread message is at now, after allowed of them that do not count. It
// asks on until it knows within so much time, at most 30 times, each time all
// leaders at once; what it knows by the end of ctx it returns. What Behind says
// of clocks holds here too.
func (r *Reader) ReadAges(ctx context.Context, now time.Time, rows []lag.GroupPartition, allowed int64, within time.Duration) []lag.Age {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	out := make([]lag.Age, len(rows))
	var searches []*search
	for i, row := range rows {
		switch {
		case !row.Known:
			out[i].Reason = row.Reason
		case row.Lag <= max(allowed, 0):
			out[i].Known = true
		default:
			searches = append(searches, &search{
				place: place{row.Topic, row.ID}, target: position(row) + max(allowed, 0), age: &out[i],
			})
		}
	}
	layouts, err := r.begin(ctx, now, searches)
	for range maxRounds {
		open := narrow(searches, max(within.Milliseconds(), 1))
		if err != nil || len(open) == 0 || ctx.Err() != nil {
			break
		}
		r.round(ctx, layouts, open)
	}
	for _, s := range searches {
		s.tell(now)
	}
	return out
}

// search looks for the time of one message, the one at target: not before from,
// and before to, in milliseconds.
type search struct {
	place
	target   int64
	from, to int64
	over     bool
	age      *lag.Age
}

// begin finds out between which times the messages of each partition are, and who
// leads it.
func (r *Reader) begin(ctx context.Context, now time.Time, searches []*search) (map[string]*layout, *Error) {
	first := map[place]int{}
	var questions []question
	limit := now.Add(ahead).UnixMilli()
	for _, s := range searches {
		if _, asked := first[s.place]; !asked {
			first[s.place] = len(questions)
			questions = append(questions, question{s.place, 0}, question{s.place, limit})
		}
	}
	layouts, err := r.layoutsFor(ctx, questions)
	if err != nil {
		for _, s := range searches {
			s.age.Reason = err.en
		}
		return nil, err
	}
	answers := r.offsets(ctx, layouts, questions)
	for _, s := range searches {
		oldest, future := answers[first[s.place]], answers[first[s.place]+1]
		s.over = true
		switch {
		case oldest.err != nil:
			s.age.Reason = oldest.err.en
		case future.err != nil:
			s.age.Reason = future.err.en
		case future.offset >= 0:
			s.age.Reason = clocks(future, now)
		case oldest.offset < 0:
			s.age.Known = true // deleted since it was read
		default:
			s.over, s.age.Known = false, true
			s.target = max(s.target, oldest.offset)
			s.from, s.to = oldest.time, limit
			s.hear(oldest)
		}
	}
	return layouts, nil
}

// narrow returns the searches that go on.
func narrow(searches []*search, within int64) []*search {
	var open []*search
	for _, s := range searches {
		if !s.over && s.to-s.from > within {
			open = append(open, s)
		}
	}
	return open
}

// round asks for each search what is in the middle. Each of them hears every
// answer about its partition.
func (r *Reader) round(ctx context.Context, layouts map[string]*layout, open []*search) {
	var questions []question
	asked := map[question]bool{}
	for _, s := range open {
		q := question{s.place, s.from + (s.to-s.from)/2}
		if !asked[q] {
			asked[q] = true
			questions = append(questions, q)
		}
	}
	heard := map[place][]int{}
	answers := r.offsets(ctx, layouts, questions)
	for i, q := range questions {
		heard[q.place] = append(heard[q.place], i)
	}
	for _, s := range open {
		for _, i := range heard[s.place] {
			a := answers[i]
			switch {
			case s.over:
			case a.err != nil:
				s.over = true // what is known stays true
			case a.offset < 0 || a.offset > s.target:
				s.to = max(min(s.to, questions[i].time), s.from)
			default:
				s.hear(a)
			}
		}
	}
}

// hear takes the news that no message before the target, which a is at or before,
// has a time between the one asked for and a's.
func (s *search) hear(a answer) {
	s.from = min(max(s.from, a.time), s.to)
	if a.offset == s.target {
		s.from, s.to, s.over = a.time, a.time, true
	}
}

// tell puts down what was found.
func (s *search) tell(now time.Time) {
	if s.age.Known && s.to != 0 {
		s.age.AtLeast = max(0, now.Sub(time.UnixMilli(s.to)))
		s.age.AtMost = max(0, now.Sub(time.UnixMilli(s.from)))
	}
}
