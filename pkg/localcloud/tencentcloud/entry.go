package tencentcloud

import (
	"fmt"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the phone shows it.
func (m SMS) Entry() inbox.Entry {
	return inbox.Entry{Channel: inbox.SMS, To: m.Number, Text: m.Text, HTML: inbox.Text(m.Text)}
}

// Entry returns the call as text.
func (m VoiceCall) Entry() inbox.Entry {
	return inbox.Entry{Channel: "Call", To: m.Number, Text: m.Text, HTML: inbox.Text(m.Text)}
}

// phoneSettings are the settings of a sender of SMS or of calls.
type phoneSettings struct {
	SecretID   string   `yaml:"secret_id"`
	SecretKey  string   `yaml:"secret_key"`
	AppID      string   `yaml:"sdk_app_id"`
	Sign       string   `yaml:"sign_name"`
	TemplateID string   `yaml:"template_id"`
	Params     []string `yaml:"params"`
}

// ProvisionSMS adds the key, the application and the template of a sender of SMS.
func (c *Cloud) ProvisionSMS(decode provision.Decoder) error {
	var s phoneSettings
	if err := decode(&s); err != nil {
		return err
	}
	c.SetKey(s.SecretID, Key{Secret: s.SecretKey})
	c.AddSMSApp(SMSApp{
		ID: s.AppID, Signs: []string{s.Sign}, Balance: 1000, ParamLimit: 20, PerDay: 1000,
		Templates: []SMSTemplate{{ID: s.TemplateID, Text: templateText(len(s.Params))}},
	})
	return nil
}

// ProvisionVoice adds the key, the application and the template of a sender of calls.
func (c *Cloud) ProvisionVoice(decode provision.Decoder) error {
	var s phoneSettings
	if err := decode(&s); err != nil {
		return err
	}
	c.SetKey(s.SecretID, Key{Secret: s.SecretKey})
	c.AddVoiceApp(VoiceApp{
		ID: s.AppID, Balance: 1000, PerDay: 1000, PerNight: 1000,
		Templates: []VoiceTemplate{{ID: s.TemplateID, Text: templateText(len(s.Params))}},
	})
	return nil
}

// templateText returns an invented text for a template with so many variables. The
// configuration does not have the real one.
func templateText(variables int) string {
	text := "告警通知"
	for i := range variables {
		text += fmt.Sprintf("，{%d}", i+1)
	}
	return text + "，请及时处理。"
}
