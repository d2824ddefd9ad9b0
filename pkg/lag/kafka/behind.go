package kafka

import (
	"context"
	"fmt"
	"time"

	"tocsin/pkg/lag"
)

// ahead is how far a message's time may be ahead of the reader's. Beyond it, one
// of the two clocks is wrong.
const ahead = time.Minute

// Behind tells for each of rows, which Read returned a moment ago, how many of
// its unread messages are older than each of thresholds at now. It reads no
// message and keeps no state: a broker knows the offset of the first message
// that is not older. That takes one request for each leader and threshold, one
// more for each leader, and one for the leaders. Rows without lag cost nothing,
// so that to ask only about rows that lag by more than is allowed is cheap.
//
// The times are those in the messages: the broker's, where the topic has
// message.timestamp.type LogAppendTime, or else the producers'. Where a message
// is more than a minute ahead of now, either its producer's clock or this
// machine's is wrong, and how old the others are is not known. A machine whose
// clock is ahead sees messages older than they are by so much.
func (r *Reader) CountOlder(ctx context.Context, now time.Time, rows []lag.GroupPartition, thresholds []time.Duration) [][]lag.OlderCount {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	times := make([]int64, len(thresholds), len(thresholds)+1)
	for i, t := range thresholds {
		times[i] = now.Add(-t).UnixMilli()
	}
	times = append(times, now.Add(ahead).UnixMilli())
	first := map[place]int{} // where the answers about a partition begin
	var questions []question
	for _, row := range rows {
		where := place{row.Topic, row.ID}
		if _, asked := first[where]; asked || !row.Known || row.Lag <= 0 {
			continue
		}
		first[where] = len(questions)
		for _, t := range times {
			questions = append(questions, question{where, t})
		}
	}
	answers := r.answers(ctx, questions)
	out := make([][]lag.OlderCount, len(rows))
	for i, row := range rows {
		out[i] = make([]lag.OlderCount, len(thresholds))
		from, asked := first[place{row.Topic, row.ID}]
		for t := range thresholds {
			switch {
			case !row.Known:
				out[i][t].Reason = row.Reason
			case row.Lag <= 0 || !asked:
				out[i][t].Known = true
			default:
				out[i][t] = older(row, answers[from+t], answers[from+len(thresholds)], now)
			}
		}
	}
	return out
}

// older counts the unread messages before the first one that is not older.
func older(row lag.GroupPartition, newer, future answer, now time.Time) lag.OlderCount {
	switch {
	case newer.err != nil:
		return lag.OlderCount{Reason: newer.err.en}
	case future.err != nil:
		return lag.OlderCount{Reason: future.err.en}
	case future.offset >= 0:
		return lag.OlderCount{Reason: clocks(future, now)}
	}
	before := row.End // there is none
	if newer.offset >= 0 {
		before = min(newer.offset, row.End)
	}
	return lag.OlderCount{Messages: max(0, before-position(row)), Known: true}
}

// position is the offset of the first message that a row's group has not read.
func position(row lag.GroupPartition) int64 { return max(row.Committed, row.Start) }

// clocks is the reason that nothing is known of the age of messages.
func clocks(future answer, now time.Time) string {
	off := time.UnixMilli(future.time).Sub(now).Round(time.Second)
	return fmt.Sprintf("message %d is %v ahead of this machine's clock: check that and the producer's", future.offset, off)
}

// answers finds the leaders, and answers questions.
func (r *Reader) answers(ctx context.Context, questions []question) []answer {
	layouts, err := r.layoutsFor(ctx, questions)
	if err == nil {
		return r.offsets(ctx, layouts, questions)
	}
	answers := make([]answer, len(questions))
	for i := range answers {
		answers[i].err = err
	}
	return answers
}

// layoutsFor asks where the topics of questions are.
func (r *Reader) layoutsFor(ctx context.Context, questions []question) (map[string]*layout, *Error) {
	topics := map[string]bool{}
	for _, q := range questions {
		topics[q.topic] = true
	}
	if len(topics) == 0 {
		return nil, nil
	}
	return r.layouts(ctx, sortedKeys(topics))
}
