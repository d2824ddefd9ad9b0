package sms

import (
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
)

// errorTable holds the codes of SendSms, which a whole call and a single number may
// have (documents 382/59177 and 382/55981). Daily limits are permanent: people who
// must know today are reached through the fallback receiver.
var errorTable = phone.ErrorTable{
	{Code: "LimitExceeded.PhoneNumberThirtySecondLimit", Class: notify.Rate, RetryAfter: 30 * time.Second, Message: "the number was sent a message less than 30 seconds ago"},
	{Code: "LimitExceeded.PhoneNumberOneHourLimit", Class: notify.Rate, RetryAfter: time.Hour, Message: "the number was sent all that it may get in an hour: the limit is set in the SMS console"},
	{Code: "LimitExceeded.DeliveryFrequencyLimit", Class: notify.Rate, RetryAfter: 5 * time.Minute, Message: "the messages come too fast for the frequency limits in the SMS console"},
	{Code: "LimitExceeded.GlobalSmsSendingRateLimit", Class: notify.Rate, RetryAfter: time.Minute, Message: "there are too many messages to numbers outside mainland China"},
	{Code: "LimitExceeded.PhoneNumberSameContentDailyLimit", Class: notify.Permanent, Message: "the number was sent this very text too often today: let a parameter tell the time, or raise the limit in the SMS console"},
	{Code: "LimitExceeded.PhoneNumberDailyLimit", Class: notify.Permanent, Message: "the number was sent all that it may get today: the limit is set in the SMS console"},
	{Code: "LimitExceeded.AppCountryOrRegionInBlacklist", Class: notify.Permanent, Message: "the application may not send to this country: allow it in the SMS console"},
	{Code: "LimitExceeded", Class: notify.Permanent, Message: "the application has sent all that it may today: raise its limit in the SMS console"},
	{Code: "RequestLimitExceeded", Class: notify.Rate, RetryAfter: time.Second, Message: "the account makes too many requests a second"},

	{Code: "FailedOperation.InsufficientBalanceInSmsPackage", Class: notify.Permanent, Message: "the SMS package is used up: buy another one"},
	{Code: "UnauthorizedOperation.ServiceSuspendDueToArrears", Class: notify.Permanent, Message: "the service is suspended: the account has debts to pay"},
	{Code: "UnauthorizedOperation.RequestIpNotInWhitelist", Class: notify.Permanent, Message: "the address that the call comes from is not on the application's IP whitelist: give the function a fixed address, or clear the list in the SMS console"},
	{Code: "UnauthorizedOperation.SdkAppIdIsDisabled", Class: notify.Permanent, Message: "the application is disabled: enable it in the SMS console"},
	{Code: "UnauthorizedOperation.SmsSdkAppIdVerifyFail", Class: notify.Permanent, Message: "the application is not known to this account: check sdk_app_id"},
	{Code: "InvalidParameterValue.SdkAppIdNotExist", Class: notify.Permanent, Message: "the application does not exist: check sdk_app_id"},

	{Code: "FailedOperation.TemplateParamSetNotMatchApprovedTemplate", Class: notify.Permanent, Message: "params and the template's variables differ in number: give one parameter for each variable"},
	{Code: "FailedOperation.TemplateIncorrectOrUnapproved", Class: notify.Permanent, Message: "the template is not approved, or the values do not suit it: check template_id and params"},
	{Code: "FailedOperation.TemplateUnapprovedOrNotExist", Class: notify.Permanent, Message: "the template is not approved or does not exist: check template_id"},
	{Code: "FailedOperation.TemplateIdNotExist", Class: notify.Permanent, Message: "the template does not exist: check template_id"},
	{Code: "FailedOperation.SignatureIncorrectOrUnapproved", Class: notify.Permanent, Message: "the signature is wrong or not approved: check sign_name, which is the signature's text"},
	{Code: "FailedOperation.MissingSignature", Class: notify.Permanent, Message: "the signature is missing: check sign_name"},
	{Code: "FailedOperation.ContainSensitiveWord", Class: notify.Permanent, Message: "the text contains a word that may not be sent"},
	{Code: "FailedOperation.MarketingSendTimeConstraint", Class: notify.Permanent, Message: "marketing templates are sent from 8 to 22 o'clock only: use a notification template"},
	{Code: "InvalidParameterValue.UnsupportedTemplateVariable", Class: notify.Permanent, Message: "this account's templates may not have such variables: use one without, and no params"},
	{Code: "InvalidParameterValue.TemplateParameterFormatError", Class: notify.Permanent, Message: "a value does not suit the template's variable: check params"},
	{Code: "InvalidParameterValue.TemplateParameterLengthLimit", Class: notify.TooLong, Message: "a value is longer than this account's variables may be: set param_max_length to 12, or 6"},
	{Code: "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", Class: notify.TooLong, Message: "a value looks like a link, which variables may not hold: check params"},
	{Code: "InvalidParameterValue.ContentLengthLimit", Class: notify.TooLong, Message: "the text is longer than 500 characters"},

	{Code: "FailedOperation.PhoneNumberInBlacklist", Class: notify.Permanent, Message: "the number is blacklisted, its owner wants no messages: take it off the list in the SMS console"},
	{Code: "FailedOperation.PhoneNumberParseFail", Class: notify.Permanent, Message: "the number is not valid"},
	{Code: "InvalidParameterValue.IncorrectPhoneNumber", Class: notify.Permanent, Message: "the number is not valid"},
	{Code: "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", Class: notify.Permanent, Message: "the template is for mainland China only: use one for international numbers in another entry of sms_configs"},
	{Code: "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone", Class: notify.Permanent, Message: "the template is for international numbers only: use one for mainland China in another entry of sms_configs"},
	{Code: "UnsupportedOperation.UnsupportedRegion", Class: notify.Permanent, Message: "messages to this country are not supported"},
}

// numberErrorTable holds the codes of single numbers that errorTable does not have.
var numberErrorTable = phone.ErrorTable{
	{Code: "InternalError.RequestTimeException", Class: notify.Permanent, Message: "this machine's clock is too far off: set it right"},
	{Code: "InternalError.SigFieldMissing", Class: notify.Permanent, Message: "the signature of the request is not accepted: check secret_id and secret_key"},
	{Code: "InternalError.SigVerificationFail", Class: notify.Permanent, Message: "the signature of the request is not accepted: check secret_id and secret_key"},
	{Code: "InternalError", Class: notify.Retry, Message: "Tencent Cloud has an internal error"},
	{Code: "", Class: notify.Permanent, Message: "Tencent Cloud refused the message"},
}
