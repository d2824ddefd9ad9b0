package agent

import (
	"context"
	"time"
)

// lastWord is how long a report that is on its way has to arrive when the agent
// stops.
const lastWord = 3 * time.Second

// deliver sends reports, oldest first, until ctx ends. A report leaves the buffer
// when the server has taken it, so that one whose answer was lost is sent twice.
func (a *Agent) deliver(ctx context.Context) {
	long, cancel := lingering(ctx, lastWord)
	defer cancel()
	var wait backoff
	problem := trouble{log: a.log}
	for ctx.Err() == nil {
		body, at, ok := a.buffer.first()
		if !ok {
			select {
			case <-ctx.Done():
			case <-a.buffer.filled:
			}
			continue
		}
		err := a.client.report(long, body)
		if err != nil && !asRefusal(err).final {
			if ctx.Err() != nil {
				return
			}
			problem.is("reports are kept until they can be sent", err)
			a.edit(func(s *Status) { s.ReportError = err.Error() })
			a.buffer.sync()
			sleep(ctx, wait.next(asRefusal(err).after))
			continue
		}
		if err != nil {
			a.log.Warn("a report is dropped", "report", string(body[:min(len(body), excerpt)]), "err", err)
		}
		problem.over("reports are sent again")
		wait = backoff{}
		now := time.Now()
		a.edit(func(s *Status) {
			s.ReportError = ""
			if err != nil {
				s.Refused++
				return
			}
			s.Sent++
			s.LastSent = &now
		})
		a.buffer.done(at)
	}
}
