package intake

// Grafana reads what a webhook contact point of Grafana's unified alerting sends,
// unless its payload was replaced by a template: for that there is Generic.
func Grafana(in Input) (Output, error) {
	return prometheus(in, []string{"1"})
}
