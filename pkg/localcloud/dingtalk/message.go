package dingtalk

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// content is the body of a request.
type content struct {
	Type string `json:"msgtype"`
	Text struct {
		Content string `json:"content"`
	} `json:"text"`
	Markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"markdown"`
	At struct {
		Mobiles []string `json:"atMobiles"`
		Users   []string `json:"atUserIds"`
		All     bool     `json:"isAtAll"`
	} `json:"at"`
}

// parse returns a message, or the error that does not depend on the robot.
func parse(r *http.Request) (*Message, *apiError) {
	if r.Method != http.MethodPost {
		return nil, &apiError{43002, "需要POST请求"}
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, &apiError{43004, "无效的HTTP HEADER Content-Type"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	var c content
	switch {
	case len(body) > MaxBody:
		return nil, withSolution(460101, "body 大小不合法", "请保持大小在 20000bytes 以内")
	case err != nil || !utf8.Valid(body) || json.Unmarshal(body, &c) != nil:
		return nil, &apiError{40035, "缺少参数 json"}
	}
	m := &Message{Type: c.Type, Title: c.Markdown.Title, Text: c.Markdown.Text}
	switch c.Type {
	case "":
		return nil, &apiError{40035, "缺少参数 msgtype"}
	case "text":
		m.Title, m.Text = "", c.Text.Content
	case "markdown":
		if m.Title == "" {
			return nil, &apiError{40035, "缺少参数 markdown.title"}
		}
	default:
		return nil, withSolution(400105, "不支持的消息类型", "请使用文档中支持的消息类型")
	}
	if strings.TrimSpace(m.Text) == "" {
		return nil, &apiError{40035, "缺少参数 " + c.Type + " 的内容"}
	}
	unmentioned := func(name string) bool { return !mentions(m.Text, name) }
	m.Mobiles = slices.DeleteFunc(c.At.Mobiles, unmentioned)
	m.Users = slices.DeleteFunc(c.At.Users, unmentioned)
	m.All = c.At.All && (mentions(m.Text, "所有人") || mentions(m.Text, "all"))
	return m, nil
}

// mentions reports whether text has @name, and not as part of a longer name.
func mentions(text, name string) bool {
	for {
		_, after, found := strings.Cut(text, "@"+name)
		if !found {
			return false
		}
		next, _ := utf8.DecodeRuneInString(after)
		if !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", next) {
			return true
		}
		text = after
	}
}
