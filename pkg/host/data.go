package host

import (
	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// TemplateData is what an annotation may use.
type TemplateData struct {
	// Labels are those of the alert, with the rule's: $labels.
	Labels alert.Labels
	// Value is what was reported: $value.
	Value setting.Value
	// Threshold is the rule's above or below.
	Threshold setting.Value
}

// labelData is what a label may use.
type labelData struct{ Labels alert.Labels }

// sample is what texts are tried on when they are loaded.
func sample() TemplateData {
	return TemplateData{Labels: alert.Labels{alert.NameLabel: "HostCPUHigh", alert.HostLabel: "web-1", alert.HostnameLabel: "web-1"}, Value: 95.5, Threshold: 90}
}
