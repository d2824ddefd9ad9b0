package voice

import (
	"fmt"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/setting"
)

const (
	defaultEndpoint = "https://vms.tencentcloudapi.com"

	// The vendor's default and limit.
	defaultPlayTimes = 2
	maxPlayTimes     = 3
)

// Config is one entry of voice_configs. The whole text of a call may have 350
// characters.
type Config struct {
	notify.CommonConfig `yaml:",inline"`
	phone.Config        `yaml:",inline"`

	// PlayTimes is how many times the text is played, 1 to 3; default 2.
	PlayTimes int `yaml:"play_times,omitempty"`
}

// Kind returns the channel's properties. Calls ring phones: a resolved notification
// is not sent by default, and no one is called twice for the same one.
//
// The quotas are two of the vendor's limits for a number (product/1128/38004).
// Notifications above them wait, and are merged into one call. The vendor's other
// limits are three calls a day, and one between 22:00 and 08:00. They are no quotas:
// when the vendor rejects a call, the notification goes to the fallback receiver at
// once, instead of waiting for hours.
func (*Config) Kind() notify.Kind {
	return notify.Kind{
		Name: "voice", AtMostOnce: true, PerUnit: true,
		Quotas: []notify.Quota{{Messages: 1, Per: 30 * time.Second}, {Messages: 2, Per: 10 * time.Minute}},
	}
}

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	c.ValidateAccount(f, "the console of voice messages")
	phone.Validate(f, c.To, checkReachable)
	if c.ParamMaxLength < 0 {
		f.Addf("param_max_length", "must be a number of characters: 20 is the default")
	}
	if c.PlayTimes < 0 || c.PlayTimes > maxPlayTimes {
		f.Addf("play_times", "must be 1, 2 or 3: how many times the text is played")
	}
}

// checkReachable returns an error for a number that cannot be called.
func checkReachable(number string) error {
	if !phone.IsDomestic(number) {
		return fmt.Errorf("%s is abroad: voice calls reach mainland China only", phone.Mask(number))
	}
	return nil
}
