// Package wecom is what WeCom's group robots and its applications have in
// common.
package wecom

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin/pkg/notify"
)

// Complete makes e, of an errcode, fit to be shown: it adds the code and what
// WeCom said, its errmsg cleaned. An e without a message gets the class and the
// message that the code has wherever WeCom answers with it. The codes are
// documented at developer.work.weixin.qq.com/document/path/90313. WeCom warns not
// to rely on errmsg: it decides only where a code is overloaded.
func Complete(e *notify.Error, code int, said string) {
	e.Code = strconv.Itoa(code)
	if e.Message == "" {
		e.Class, e.Message = meaning(code, said)
	}
	if said != "" {
		e.Message += fmt.Sprintf("; WeCom says %q", said)
	}
}

func meaning(code int, said string) (notify.Class, string) {
	switch {
	case code == -1:
		return notify.Retry, "WeCom is busy"
	case code == 45002, code == 40058 && aboutLength(said):
		return notify.TooLong, "the message is too long"
	case code == 40058:
		return notify.Permanent, "WeCom finds a parameter illegal"
	case code == 44004:
		return notify.Permanent, "the message is empty: see what the template under message prints"
	case code == 40063:
		return notify.Permanent, "a required field is empty"
	case code == 40008:
		return notify.Permanent, "WeCom does not know this type of message"
	case code == 40033:
		return notify.Permanent, `WeCom finds an illegal character, of the form \uxxxx`
	}
	// What is not known may pass, and is handed to the fallback if it does not.
	return notify.Retry, "WeCom refuses the message"
}

func aboutLength(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "length") || strings.Contains(said, "too long") || strings.Contains(said, "长度")
}
