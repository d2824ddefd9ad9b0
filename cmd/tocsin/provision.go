package main

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/config"
	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/provision"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/setting"
)

// provisionFakes creates in the local cloud what a configuration names: keys,
// instances, robots, and the templates of SMS and voice, so that a real configuration
// can be tried without using anything real. Names that are templates are left out,
// because they are not known before a message is rendered.
func provisionFakes(cloud *localcloud.Cloud, cfg *config.Config) error {
	for _, c := range cfg.Lag.Clusters {
		if c.Kafka != nil {
			return fmt.Errorf("cluster %q: dev has no Kafka by that name; it takes clusters with ckafka", c.Name)
		}
		id, key := c.CKafka.SecretID, c.CKafka.SecretKey
		if id == "" {
			id, key = cfg.Global.TencentSecretID, cfg.Global.TencentSecretKey
		}
		cloud.Tencent.SetKey(id, tencentcloud.Key{Secret: string(key)})
		cloud.Tencent.AddInstance(tencentcloud.Instance{ID: c.CKafka.InstanceID, Region: c.CKafka.Region, Groups: cloud.Kafka})
	}
	for i := range cfg.Receivers {
		r := &cfg.Receivers[i]
		for _, integration := range r.Integrations() {
			if err := cloud.Provision(integration.Kind().Name, settingsDecoder(integration.Channel)); err != nil {
				return fmt.Errorf("receiver %q: %s: %w", r.Name, integration.Kind().Name, err)
			}
		}
	}
	return nil
}

// settingsDecoder returns a decoder of an entry of a receiver, secrets included.
func settingsDecoder(entry config.Channel) provision.Decoder {
	return func(v any) error {
		text, err := yaml.Marshal(revealed(reflect.ValueOf(entry)))
		if err != nil {
			return err
		}
		return yaml.Unmarshal(text, v)
	}
}

// revealed returns a part of a configuration in the form that YAML gives it, but with
// the secrets instead of their masks.
func revealed(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return revealed(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = revealed(v.Index(i))
		}
		return list
	case reflect.Struct:
		keys := map[string]any{}
		for field, value := range v.Fields() {
			key, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			switch {
			case options == "inline":
				for key, value := range revealed(value).(map[string]any) {
					keys[key] = value
				}
			case key != "" && key != "-":
				keys[key] = revealed(value)
			}
		}
		return keys
	}
	if secret, ok := v.Interface().(setting.Secret); ok {
		return string(secret)
	}
	return v.Interface()
}
