package feishu

import (
	"encoding/json"
	"fmt"
	"net/http"

	"tocsin/pkg/localcloud/fault"
)

// refusal is an error of the API.
type apiError struct {
	status, code int
	msg          string
}

// The refusals, as open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
// and those who met them give them. 9499 stands for two things. Which of tooMany
// and limited belongs to which of the two limits is not documented.
var (
	badRequest       = &apiError{400, 9499, "Bad Request"}
	tooMany          = &apiError{400, 9499, "too many request"}
	limited          = &apiError{200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}
	unknownToken     = &apiError{200, 19001, "param invalid: incoming webhook access token invalid"}
	badParameters    = &apiError{200, 19002, "params error, msg_type need"}
	badSignature     = &apiError{200, 19021, "sign match fail or timestamp is not within one hour from current time"}
	untrustedAddress = &apiError{200, 19022, "Ip Not Allowed"}
	noKeyword        = &apiError{200, 19024, "Key Words Not Found"}
	tooLarge         = &apiError{200, 19036, "the request body exceeds the size limit of 30KB"}
	tooManyTables    = &apiError{200, 11310, "ErrCode: 11310; ErrMsg: card table number over limit; "}
)

// badCard refuses a card for the reason that its inner code gives.
func badCard(inner int, why string) *apiError {
	return &apiError{200, 11246, fmt.Sprintf("ErrCode: %d; ErrMsg: %s; ", inner, why)}
}

func unparsable() *apiError { return badCard(200621, "parse card json err") }

// Refuse answers with an error of the API, most of which come with status 200.
func Reject(status, code int, msg string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { (&apiError{status, code, msg}).write(w) }
}

func (e *apiError) write(w http.ResponseWriter) {
	msg, _ := json.Marshal(e.msg) // a string always encodes
	writeJSON(w, e.status, fmt.Sprintf(`{"code":%d,"msg":%s,"data":{}}`, e.code, msg))
}

func success(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`)
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
