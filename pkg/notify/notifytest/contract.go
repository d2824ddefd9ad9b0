package notifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// ChannelConfig is a pointer to a channel's Config.
type ChannelConfig interface {
	Config
	Kind() notify.Kind
	Validate(*setting.Faults)
}

// Channel describes a channel to Run. C is a pointer to the channel's Config.
type Channel[C ChannelConfig] struct {
	// Start starts a fake of the vendor and returns it with a valid configuration,
	// whose messages the fake accepts. It is called for every case.
	Start func(t *testing.T) *Vendor[C]
	// Kind is what the configuration must return as its kind.
	Kind notify.Kind
	// Target is the target of every message: the channel and the beginning of the hash
	// of the secret in its address, by printf %s SECRET | sha256sum. "" is not checked.
	Target string
	// Secrets must not appear in an error, a log line, a message, or a printed
	// configuration.
	Secrets []string
	// Private are further texts that only a printed configuration and the units
	// of a message may have, such as phone numbers.
	Private []string

	// Errors is the vendor's table of errors. A case replaces the one of the same
	// name in the table for all channels.
	Errors []ErrorCase[C]

	// Limit is how long a message may be, measured by Received.Size. 0 is a
	// channel that never splits a notification.
	Limit int
	// SplitAlerts is a number of alerts that need several messages.
	SplitAlerts int
	// SeveralUnits changes the configuration so that a notification has several
	// units without being split, such as recipients. It is nil for a channel whose
	// messages always have one unit.
	SeveralUnits func(C)

	// Templates are the keys whose value is a template, which may fail when a
	// notification is rendered.
	Templates []TemplateCase[C]

	// Variants are further configurations whose messages are checked for injected
	// markup.
	Variants []Variant[C]
}

// Vendor is a running fake, and what a case needs to use it.
type Vendor[C ChannelConfig] struct {
	Env    *notify.Env
	Config C
	// Fake is the fake itself, for the Setup of an ErrorCase. It may be nil.
	Fake any
	// Inject applies a fault to the next requests that deliver a message. It is nil
	// for a channel that does not use HTTP.
	Inject func(times int, h fault.Handler)
	// Requests returns how many requests arrived. It is nil for a channel that does
	// not use HTTP.
	Requests func() int
	// Received returns what readers have received, oldest first, without the first
	// skip messages.
	Received func(skip int) []Received
	// BeforeSend is called before every message that must be accepted, to reset the
	// fake's rate limits. It may be nil.
	BeforeSend func()
}

// Received is a message as the vendor delivered it to a reader.
type Received struct {
	// Text is all text that the reader sees, including the title.
	Text string
	// Size is the size that the channel's limit is for, in bytes or characters.
	Size int
	// Mentions are the people that the message mentions.
	Mentions []string
	// Markup counts the constructs that the vendor's client would not show as
	// plain text.
	Markup map[string]int
}

// Variant is a configuration other than the valid one.
type Variant[C ChannelConfig] struct {
	Name   string
	Change func(C)
	// HalfSize sends notifications with HalfSize set, as after a message that was too
	// long.
	HalfSize bool
	// BeforeSend is called before every message, after the vendor's. It may make
	// the fake refuse the first form of a message.
	BeforeSend func(v *Vendor[C])
	// Splits is set for a variant with the built-in text, to check its splitting as
	// well.
	Splits bool
}

// TemplateFailure is what a channel does when a template fails.
type TemplateFailure uint8

const (
	// BuiltInText sends the built-in text with a note that names the key and the
	// error.
	BuiltInText TemplateFailure = iota
	// ShortText sends the title of the built-in text with a short note, and "-"
	// where the template prints nothing. SMS and voice have no room for more.
	ShortText
	// Permanent refuses the notification with an error that names the key.
	Permanent
)

// TemplateCase is a key that holds a template.
type TemplateCase[C ChannelConfig] struct {
	Key string
	Set func(c C, template string)
	// OnFailure is what the channel does when the template fails.
	OnFailure TemplateFailure
	// EmptyFails marks a key whose template must print something.
	EmptyFails bool
}

// Run checks that a channel keeps the contract of notify.Notifier: every vendor error has
// its class, no output contains a secret, no part exceeds the vendor's limit, a failing
// template is replaced by the built-in text, text cannot inject markup, accepted units
// are not sent again, the quotas are those of the kind, and messages depend only on the
// notification.
func Run[C ChannelConfig](t *testing.T, channel Channel[C]) {
	t.Run("configuration", channel.testConfig)
	t.Run("messages are deterministic", channel.testDeterministic)
	t.Run("accepted units", channel.testAcceptedUnits)
	t.Run("errors", channel.testErrors)
	t.Run("splitting", channel.testSplitting)
	t.Run("failing templates", channel.testTemplates)
	t.Run("injection", channel.testInjection)
}

// testConfig checks the kind, and that a printed configuration never shows a secret.
func (ch Channel[C]) testConfig(t *testing.T) {
	c := ch.Start(t).Config
	var faults setting.Faults
	c.Validate(&faults)
	for _, f := range faults.List() {
		if !f.Warning {
			t.Errorf("the configuration is not valid: %v: %s", f.Path, f.Message)
		}
		checkHidden(t, ch.secrets(), "a fault of Validate", f.Message)
	}
	if got := c.Kind(); !reflect.DeepEqual(got, ch.Kind) {
		t.Errorf("got kind %+v, want %+v", got, ch.Kind)
	}
	limited, ok := any(c).(interface {
		Quotas(notify.Kind) []notify.Quota
	})
	if !ok {
		t.Fatalf("%T lacks notify.CommonConfig", c)
	}
	if got := limited.Quotas(c.Kind()); !slices.Equal(got, ch.Kind.Quotas) {
		t.Errorf("got quotas %v without rate_limit, want the kind's, %v", got, ch.Kind.Quotas)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		checkHidden(t, ch.Secrets, "the configuration printed with "+verb, fmt.Sprintf(verb, c))
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Errorf("cannot encode the configuration as JSON: %v", err)
	}
	checkHidden(t, ch.Secrets, "the configuration as JSON", string(asJSON))
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Errorf("cannot encode the configuration as YAML: %v", err)
	}
	checkHidden(t, ch.Secrets, "the configuration as YAML", string(asYAML))
}

// testDeterministic checks that Messages returns the same messages from another notifier,
// at another time, and without a network or a store, and that it does not change the
// notification.
func (ch Channel[C]) testDeterministic(t *testing.T) {
	for name, n := range map[string]*alert.Notification{
		"one alert": Notification(OneTopic()...), "many alerts": lagging(max(ch.SplitAlerts, 20)), "resolved": Notification(OneTopicResolved()...),
	} {
		t.Run(name, func(t *testing.T) {
			v := ch.Start(t)
			if ch.SeveralUnits != nil {
				ch.SeveralUnits(v.Config)
			}
			before := encode(t, n)
			want := describe(Messages(t, New(t, v.Config, v.Env), n))
			for _, m := range want {
				checkHidden(t, ch.secrets(), "a message", m.Target, m.Audience, m.Text)
				if m.Target == "" || ch.Target != "" && m.Target != ch.Target || len(m.Units) == 0 {
					t.Errorf("got a message with target %q and units %q, want the target %q and units", m.Target, m.Units, ch.Target)
				}
			}
			again := *v.Env
			v.Env.Now = func() time.Time { return At.Add(5 * time.Hour) }
			again.Now = v.Env.Now
			again.HTTP, again.Dial, again.Store = noHTTP(t), noDial(t), UnavailableStore{}
			later := New(t, v.Config, &again)
			for range 2 {
				if got := describe(Messages(t, later, n)); !reflect.DeepEqual(got, want) {
					t.Errorf("got other messages at a later time:\n%+v\nwant\n%+v", got, want)
				}
			}
			if after := encode(t, n); after != before {
				t.Errorf("Messages changed the notification:\n%s\nwant\n%s", after, before)
			}
		})
	}
}

// testAcceptedUnits checks that an attempt sends exactly the units that are not
// accepted yet, and that every message reports an outcome for each of its units.
func (ch Channel[C]) testAcceptedUnits(t *testing.T) {
	cases := map[string]func(C) *alert.Notification{
		"one unit": func(C) *alert.Notification { return Notification(OneTopic()...) },
	}
	if ch.Limit > 0 {
		cases["parts"] = func(C) *alert.Notification { return lagging(ch.SplitAlerts) }
	}
	if ch.SeveralUnits != nil {
		cases["several units"] = func(c C) *alert.Notification {
			ch.SeveralUnits(c)
			return Notification(OneTopic()...)
		}
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			v := ch.Start(t)
			n := prepare(v.Config)
			to := New(t, v.Config, v.Env)
			all := Units(Messages(t, to, n))
			if distinct := slices.Compact(slices.Sorted(slices.Values(all))); len(distinct) != len(all) {
				t.Errorf("got units %q, want no unit twice", all)
			}
			if name != "one unit" && len(all) < 2 {
				t.Fatalf("got units %q, want at least two", all)
			}
			for i, unit := range all {
				rest := *n
				rest.AcceptedUnits = []string{unit}
				want := slices.Delete(slices.Clone(all), i, i+1)
				if got := Units(Messages(t, to, &rest)); !slices.Equal(got, want) {
					t.Errorf("got units %q after %q was accepted, want %q", got, unit, want)
				}
			}
			rest := *n
			rest.AcceptedUnits = all[:len(all)/2]
			sent := v.send(t, to, &rest)
			if got := Units(sent); !slices.Equal(got, all[len(all)/2:]) {
				t.Errorf("got units %q sent by the second attempt, want %q", got, all[len(all)/2:])
			}
			if got := len(v.Received(0)); got == 0 {
				t.Error("got no message from the second attempt")
			}
			rest.AcceptedUnits = all
			if got := Messages(t, to, &rest); len(got) != 0 {
				t.Errorf("got units %q when all are accepted, want none", Units(got))
			}
		})
	}
}

// send delivers n, all units of which must be accepted.
func (v *Vendor[C]) send(t *testing.T, to notify.Notifier, n *alert.Notification) []notify.Message {
	t.Helper()
	if v.BeforeSend == nil {
		return SendAll(t, to, n)
	}
	return SendAll(t, to, n, v.BeforeSend)
}

// secrets returns the texts that errors, logs and messages must not contain.
func (ch Channel[C]) secrets() []string { return slices.Concat(ch.Secrets, ch.Private) }

// checkHidden fails the test if one of the texts contains a secret.
func checkHidden(t *testing.T, secrets []string, where string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("got the secret %q in %s, want it hidden: %s", secret, where, text)
			}
		}
	}
}

// captureLogs makes the default logger write to the returned buffer for the rest of the
// test.
func captureLogs(t *testing.T) *bytes.Buffer {
	t.Helper()
	var logs bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &logs
}

// description is a message without its function Send, for comparisons.
type description struct {
	Target, Audience, Text string
	Units                  []string
	Optional               bool
}

func describe(messages []notify.Message) []description {
	out := make([]description, len(messages))
	for i, m := range messages {
		out[i] = description{m.Target, m.Audience, m.Text, m.Units, m.Optional}
	}
	return out
}

func encode(t *testing.T, n *alert.Notification) string {
	t.Helper()
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
