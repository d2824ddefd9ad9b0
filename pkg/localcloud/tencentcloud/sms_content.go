package tencentcloud

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	variable = regexp.MustCompile(`\{\d+\}`)
	// link finds URLs and what phones would take for one.
	link = regexp.MustCompile(`(?i)https?:|www\.|[a-z0-9]\.(com|cn|net|org|io|top|cc|me)\b`)
	// mobile is a number of mainland China after the country code.
	mobile = regexp.MustCompile(`^1[3-9]\d{9}$`)
	// foreign is a number by E.164 without its plus sign.
	foreign = regexp.MustCompile(`^[1-9]\d{6,14}$`)
)

// content returns the text that phones would show, or why the request's content
// is refused, which the vendor tells for each number.
func (a *app) content(p *sendSms, numbers []number) (string, *Error) {
	if a == nil {
		return "", errorf("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "verification failed for SmsSdkAppId")
	}
	mainland := slices.ContainsFunc(numbers, number.mainland)
	sign := value(p.SignName)
	if !slices.Contains(a.Signs, sign) && (mainland || sign != "") {
		return "", errorf("FailedOperation.SignatureIncorrectOrUnapproved", "the signature is incorrect or unapproved")
	}
	i := slices.IndexFunc(a.Templates, func(t SMSTemplate) bool { return t.ID == *p.TemplateId })
	if i < 0 {
		return "", errorf("FailedOperation.TemplateUnapprovedOrNotExist", "the template is not approved or does not exist")
	}
	t := a.Templates[i]
	switch {
	case t.International && mainland:
		return "", errorf("UnsupportedOperation.GlobalTemplateToChineseMainlandPhone", "an international template cannot be sent to Chinese mainland numbers")
	case !t.International && !mainland:
		return "", errorf("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", "a Chinese mainland template cannot be sent to international numbers")
	case len(p.TemplateParamSet) != len(variable.FindAllString(t.Text, -1)):
		return "", errorf("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", "the number of template parameters does not match the approved template")
	}
	for _, param := range p.TemplateParamSet {
		switch {
		case link.MatchString(param):
			return "", errorf("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", "URLs are prohibited in template parameters")
		case strings.ContainsAny(param, "【】\r\n"):
			return "", errorf("FailedOperation.TemplateIncorrectOrUnapproved", "the content does not match the approved template")
		case utf8.RuneCountInString(param) > orDefault(a.ParamLimit, 6):
			return "", errorf("InvalidParameterValue.TemplateParameterLengthLimit", "a template parameter exceeds the length limit")
		}
	}
	text := fill(t.Text, p.TemplateParamSet)
	if sign != "" {
		text = "【" + sign + "】" + text
	}
	if utf8.RuneCountInString(text) > 500 {
		return "", errorf("InvalidParameterValue.ContentLengthLimit", "the message is longer than 500 characters")
	}
	return text, nil
}

// segments is how many messages a text is charged as: 70 characters fit into
// one, 67 into each part of a longer one.
func segments(text string) int {
	n := utf8.RuneCountInString(text)
	if n <= 70 {
		return 1
	}
	return (n + 66) / 67
}

// number is a phone number without its plus sign.
type number struct {
	digits string
	valid  bool
}

// parseNumber reads E.164; a number of eleven digits, and 86 or 0086 before it,
// is one of mainland China.
func parseNumber(text string) number {
	digits, international := strings.CutPrefix(text, "+")
	if !international {
		local := strings.TrimPrefix(strings.TrimPrefix(digits, "00"), "86")
		return number{"86" + local, mobile.MatchString(local)}
	}
	if local, china := strings.CutPrefix(digits, "86"); china {
		return number{digits, mobile.MatchString(local)}
	}
	return number{digits, foreign.MatchString(digits)}
}

func (n number) String() string { return "+" + n.digits }

func (n number) mainland() bool { return strings.HasPrefix(n.digits, "86") }

// isoCode names the country; the vendor says DEF where it knows none.
func (n number) isoCode() string {
	switch {
	case !n.valid:
		return "DEF"
	case n.mainland():
		return "CN"
	case strings.HasPrefix(n.digits, "852"):
		return "HK"
	case strings.HasPrefix(n.digits, "65"):
		return "SG"
	case strings.HasPrefix(n.digits, "1"):
		return "US"
	default:
		return "DEF"
	}
}
