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
		{Alert: "KafkaConsumerStopped", Status: []trend.State{trend.Stopped}, For: patience, Labels: severity("warning")},
		{Alert: "KafkaConsumerStalled", Status: []trend.State{trend.Stalled}, For: patience, Labels: severity("warning")},
		{Alert: "KafkaMessagesLost", Lost: true, Labels: severity("critical")},
	}
}

func severity(s string) map[string]setting.Template {
	return map[string]setting.Template{alert.SeverityLabel: setting.Constant(s)}
}
