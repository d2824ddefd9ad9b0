package intake_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/pkg/intake"
)

// fuzz checks that a decoder rejects any body with an *Error or returns alerts that
// are valid and can be stored.
func fuzz(f *testing.F, folder, media string, decode intake.Decoder) {
	for _, path := range messageFiles(f) {
		if filepath.Base(filepath.Dir(path)) != folder {
			continue
		}
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"alerts":[{"labels":{"a":null},"status":"ok","endsAt":"9999-12-31T23:59:59-23:59"}]}`))
	f.Add([]byte(`{"alerts":[{"labels":{"":"x"},"annotations":{"":"x"},"status":"ok"}]}`))
	f.Add([]byte("{\"a\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		in := intake.Input{Body: body, Media: media, Now: now, Zone: shanghai}
		in.Query, _ = url.ParseQuery(string(body))
		out, err := decode(in)
		if err != nil {
			var invalid *intake.Error
			if !errors.As(err, &invalid) || len(err.Error()) > 1000 {
				t.Fatalf("got a %T of %d bytes, %.1000v, want an *intake.Error of at most 1000", err, len(err.Error()), err)
			}
			return
		}
		for _, a := range out.Alerts {
			if a == nil {
				t.Fatal("got a nil alert")
			}
			if a.StartsAt.IsZero() || a.StartsAt.After(now) || !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
				t.Errorf("got an alert from %v to %v, want a start until now and an end after it", a.StartsAt, a.EndsAt)
			}
			if _, err := a.AppendBinary(nil); err != nil {
				t.Error(err)
			}
			for name, value := range a.Labels {
				if name == "" || value == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
					t.Errorf("got label %q=%q, want valid non-empty UTF-8", name, value)
				}
			}
			for name, value := range a.Annotations {
				if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
					t.Errorf("got annotation %q=%q, want a name and valid UTF-8", name, value)
				}
			}
		}
	})
}

func FuzzAlertmanager(f *testing.F)   { fuzz(f, "alertmanager", intake.JSON, intake.Alertmanager) }
func FuzzGrafana(f *testing.F)        { fuzz(f, "grafana", intake.JSON, intake.Grafana) }
func FuzzTencentMonitor(f *testing.F) { fuzz(f, "tencent-monitor", intake.JSON, intake.TencentMonitor) }
func FuzzZabbix(f *testing.F)         { fuzz(f, "zabbix", intake.JSON, intake.Zabbix) }
func FuzzAliyun(f *testing.F)         { fuzz(f, "aliyun", intake.JSON, intake.Aliyun) }
func FuzzAliyunForm(f *testing.F)     { fuzz(f, "aliyun", intake.Form, intake.Aliyun) }
func FuzzOpenFalcon(f *testing.F)     { fuzz(f, "open-falcon", intake.Form, intake.OpenFalcon) }
func FuzzOpenFalconMail(f *testing.F) { fuzz(f, "open-falcon", intake.Form, intake.OpenFalconMail) }
func FuzzOpenFalconCallback(f *testing.F) {
	fuzz(f, "open-falcon", intake.Form, intake.OpenFalconCallback)
}

func FuzzSNS(f *testing.F) {
	off := false
	sns := intake.NewSNS(intake.SNSConfig{Verify: &off}, func(context.Context, string) ([]byte, error) { return nil, nil })
	f.Add([]byte(`{"Type":"Notification","TopicArn":"t","Message":` + quoted(alarm) + `}`))
	fuzz(f, "sns", intake.JSON, func(in intake.Input) (intake.Output, error) { return sns.Decode(context.Background(), in) })
}

func FuzzGeneric(f *testing.F) {
	d, err := intake.NewGeneric(intake.GenericConfig{Name: "any", Alerts: `{"labels": {"alertname": {{ .Body.job | toJson }}, "raw": "{{ .Body.raw }}"}, "startsAt": "{{ .Body.at }}"}`})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"job":"x","raw":"\",\"y\":\"z","at":"2026-11-20"}`))
	f.Add([]byte(`{"job":"x","raw":"\",\"\":\"z"}`))
	fuzz(f, "generic", intake.JSON, d)
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
