package render

import "tocsin/pkg/alert"

// pollFailed is what Tocsin says when it cannot read the lag it should watch.
type pollFailed struct{}

func (pollFailed) name(w *words) string { return w.pollFailed }
func (pollFailed) usual() string        { return alert.PollFailedAlert }
func (pollFailed) unit() unit           { return unitAlert }
func (pollFailed) places() []string     { return []string{alert.ClusterLabel, alert.GroupLabel} }

func (pollFailed) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overPoll(d.span(e))
	}
	cluster, group := CleanLine(e.Labels[alert.ClusterLabel], maxName), CleanLine(e.Labels[alert.GroupLabel], maxName)
	if e.Annotations[alert.PartialAnnotation] != "" {
		return d.words.half(d.words.blindWhat(cluster, group))
	}
	return d.words.blind(d.words.blindWhat(cluster, group))
}

func (pollFailed) line(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overPoll(d.span(e))
	}
	return CleanLine(reason(e), maxValue/2)
}

func (pollFailed) fields(d *draft, e *entry) []Field {
	var fields []Field
	if !e.resolved {
		if why := CleanLine(reason(e), maxValue); why != "" {
			fields = append(fields, Field{d.words.cause, why})
		}
		if len(d.entries) == 1 {
			fields = append(fields, Field{d.words.advice, d.words.checkPoll})
		}
	}
	return append(fields, d.started(e)...)
}

func (pollFailed) shared(d *draft) []Field {
	if d.firing == 0 {
		return nil
	}
	return []Field{{d.words.advice, d.words.checkPoll}}
}

func (pollFailed) says(annotation string) bool { return annotation == alert.PartialAnnotation }

func reason(e *entry) string {
	if s := e.Annotations[alert.DescriptionAnnotation]; s != "" {
		return s
	}
	return e.Annotations[alert.SummaryAnnotation]
}
