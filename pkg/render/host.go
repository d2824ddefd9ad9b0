package render

// hostOffline is a host that has stopped reporting. It starts at the last report.
type hostOffline struct{}

func (hostOffline) name(w *words) string { return w.hostOffline }
func (hostOffline) usual() string        { return hostOfflineName }
func (hostOffline) unit() unit           { return unitHost }
func (hostOffline) places() []string     { return []string{"hostname", "host"} }

func (hostOffline) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overHost(d.span(e))
	}
	return d.words.silent(d.span(e))
}

func (h hostOffline) line(d *draft, e *entry) string { return h.headline(d, e) }

func (hostOffline) fields(d *draft, e *entry) []Field {
	if e.resolved || e.StartsAt.IsZero() {
		return d.started(e)
	}
	return []Field{{d.words.lastReport, moment(e.StartsAt, d.at, d.zone)}}
}

func (hostOffline) shared(*draft) []Field { return nil }
func (hostOffline) says(string) bool      { return false }
