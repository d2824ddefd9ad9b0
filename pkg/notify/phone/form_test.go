package phone

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

func view() *render.View {
	return render.NewView(&alert.Notification{ID: "n1", Alerts: []*alert.Alert{{
		Labels: alert.Labels{"alertname": "订单消费积压告警", "phones": "13800000000; +14155550100", "link": "see http://a.example.com/b", "instance": "10.0.0.5"},
	}}}, &render.Style{Language: "zh", Location: time.UTC})
}

func TestForm(t *testing.T) {
	params := []string{"{{ .CommonLabels.alertname }}", "{{ .CommonLabels.link }}", "{{ .CommonLabels.instance }}", "{{ (index .Alerts 7).Labels.x }}", "{{ .CommonLabels.none }}"}
	f, err := NewTemplates(nil, []string{"{{ .CommonLabels.phones }}", "13800000001"}, params, 7)
	if err != nil {
		t.Fatal(err)
	}
	to, err := f.Recipients(view(), 3)
	if err != nil || !slices.Equal(to.Domestic, []string{"+8613800000000", "+8613800000001"}) || !slices.Equal(to.International, []string{"+14155550100"}) {
		t.Errorf("to %+v, %v", to, err)
	}
	if _, err := f.Recipients(view(), 2); err == nil {
		t.Error("three are not more than two")
	}
	if got, want := f.Params(view(), false), []string{"订单消费积压告", "see", "10.0.0.", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("params %q, want %q", got, want)
	}
	if got, want := f.Params(view(), true), []string{"订单消费积压", "see", "10_0_0", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("shrunk %q, want %q", got, want)
	}
	if f, err = NewTemplates(nil, nil, []string{strings.Repeat("长", 30)}, 0); err != nil || f.Params(view(), false)[0] != strings.Repeat("长", 20) {
		t.Errorf("by default %q, %v", f.Params(view(), false), err)
	}
	f, err = NewTemplates(nil, []string{"13800000000", "{{ (index .Alerts 7).Labels.x }}"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Recipients(view(), 9); err == nil || !strings.HasPrefix(err.Error(), "to: 1: ") {
		t.Errorf("%v, want it to begin with to: 1: ", err)
	}
}

func TestBadTemplatesAreNamed(t *testing.T) {
	if _, err := NewTemplates(nil, []string{"1", "{{"}, nil, 0); err == nil || !strings.HasPrefix(err.Error(), "to: 1: ") {
		t.Error(err)
	}
	if _, err := NewTemplates(nil, nil, []string{"{{ nope }}"}, 0); err == nil || !strings.HasPrefix(err.Error(), "params: 0: ") {
		t.Error(err)
	}
}

func TestPreview(t *testing.T) {
	for _, tt := range []struct {
		language string
		params   []string
		want     string
	}{
		{"zh", []string{"a", "b"}, "模板 1：a, b"},
		{"en", []string{"a", "b"}, "template 1: a, b"},
		{"zh", nil, "模板 1"},
	} {
		if got := Preview(tt.language, "1", tt.params); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
