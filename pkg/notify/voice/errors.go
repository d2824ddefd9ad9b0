package voice

import (
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
)

// errorTable holds the codes of SendTtsVoice. The vendor documents few of them; the
// others have the names that SMS has. A code that is not here means what all codes
// of its family mean to package tencent.
//
// A limit without a time in its code counts as one of the day or the night, because
// the short ones are kept by the channel's quotas (Kind). It is permanent: people
// who must know now are reached through the fallback receiver.
var errorTable = phone.ErrorTable{
	{Code: "LimitExceeded.PhoneNumberThirtySecondLimit", Class: notify.Rate, RetryAfter: 30 * time.Second, Message: "the number was called less than 30 seconds ago"},
	{Code: "LimitExceeded.PhoneNumberTenMinuteLimit", Class: notify.Rate, RetryAfter: 10 * time.Minute, Message: "the number was called twice in 10 minutes"},
	{Code: "LimitExceeded", Class: notify.Permanent, Message: "the number has had all the calls that it may for now, three a day and one from 22:00 to 08:00: let the fallback call somebody else, or ask the vendor for more"},
	{Code: "RequestLimitExceeded", Class: notify.Rate, RetryAfter: time.Second, Message: "the account makes too many requests a second"},

	{Code: "FailedOperation.InsufficientBalanceInVoicePackage", Class: notify.Permanent, Message: "the voice package is used up: buy another one"},
	{Code: "UnauthorizedOperation.ServiceSuspendDueToArrears", Class: notify.Permanent, Message: "the service is suspended: the account has debts to pay"},
	{Code: "UnauthorizedOperation.RequestIpNotInWhitelist", Class: notify.Permanent, Message: "the address that the request comes from is not on the application's IP whitelist: give the function a fixed address, or clear the list in the console"},
	{Code: "UnauthorizedOperation.SdkAppIdIsDisabled", Class: notify.Permanent, Message: "the application is disabled: enable it in the console"},
	{Code: "UnauthorizedOperation.VoiceSdkAppidVerifyFail", Class: notify.Permanent, Message: "the application is not known to this account: check sdk_app_id"},
	{Code: "InvalidParameterValue.SdkAppIdNotExist", Class: notify.Permanent, Message: "the application does not exist: check sdk_app_id"},

	{Code: "FailedOperation.TemplateIncorrectOrUnapproved", Class: notify.Permanent, Message: "the template is not approved, or params do not suit it: check template_id, and that there is one parameter for each variable"},
	{Code: "FailedOperation.ContainSensitiveWord", Class: notify.Permanent, Message: "the text contains a word that may not be said"},
	{Code: "FailedOperation.PhoneNumberInBlacklist", Class: notify.Permanent, Message: "the number is blacklisted, its owner wants no calls: take it off the list in the console"},
	{Code: "InvalidParameterValue.TemplateParameterFormatError", Class: notify.Permanent, Message: "a value does not suit the template's variable: check params"},
	{Code: "InvalidParameterValue.TemplateParameterLengthLimit", Class: notify.TooLong, Message: "a value is longer than this account's variables may be: set param_max_length to 12, or 6"},
	{Code: "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", Class: notify.TooLong, Message: "a value looks like a link, which variables may not hold: check params"},
	{Code: "InvalidParameterValue.ContentLengthLimit", Class: notify.TooLong, Message: "the text is longer than 350 characters"},
	{Code: "InvalidParameterValue.CalledNumberVerifyFail", Class: notify.Permanent, Message: "the number is not valid"},
}
