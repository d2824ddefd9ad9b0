package render

import "tocsin/pkg/alert"

// subject is a kind of alert that has words of its own. Subjects are compared
// with ==.
type subject interface {
	// name is what alerts of the kind are about, and usual the alertname that
	// need not be said beside it.
	name(w *words) string
	usual() string
	unit() unit
	// places names the labels that say where, the widest first.
	places() []string
	// headline says in a sentence what is wrong or that it is over; line says it
	// in a few words, for a list of many.
	headline(d *draft, e *entry) string
	line(d *draft, e *entry) string
	// fields are the details of one alert beside its labels; shared are those
	// that several alerts of the kind have in common.
	fields(d *draft, e *entry) []Field
	shared(d *draft) []Field
	// says tells that an annotation is already said in the texts above.
	says(annotation string) bool
}

// subjectOf recognises what an alert is about, and reads its lag if that is it.
func subjectOf(a *alert.Alert, resolved bool) (subject, int64) {
	switch name := a.Name(); {
	case name == alert.PollFailedAlert:
		return pollFailed{}, 0
	case name == alert.HostOfflineAlert && a.Labels[alert.HostLabel] != "":
		return hostOffline{}, 0
	case a.Labels[alert.GroupLabel] != "" && a.Labels[alert.TopicLabel] != "":
		text, told := a.Annotations[alert.LagAnnotation]
		if lag, ok := alert.ParseCount(text); ok {
			return lagging{}, lag
		}
		// Prometheus's alerts have a generator, Tocsin's have none.
		if resolved && !told && a.GeneratorURL == "" {
			return lagging{}, unread
		}
	}
	return other{a.Name()}, 0
}
