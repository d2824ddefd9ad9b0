package lag

import (
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

// DefaultRules are those of a configuration without rules. They need no number
// that somebody would have to know: they warn of consumers that have stopped or
// stand still for five minutes with messages left to read, and tell at once of
// messages that were deleted unread.
func DefaultRules() []Rule {
	const patience = setting.Duration(5 * time.Minute)
	return []Rule{
		{Alert: alert.ConsumerStoppedAlert, Status: []trend.State{trend.Stopped}, For: patience, Labels: severity(alert.SeverityWarning)},
		{Alert: alert.ConsumerStalledAlert, Status: []trend.State{trend.Stalled}, For: patience, Labels: severity(alert.SeverityWarning)},
		{Alert: alert.MessagesLostAlert, Lost: true, Labels: severity(alert.SeverityCritical)},
	}
}

func severity(s string) map[string]setting.Template {
	return map[string]setting.Template{alert.SeverityLabel: setting.Constant(s)}
}
