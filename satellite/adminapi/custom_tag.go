package adminapi

import (
	"context"

	"ssm/satellite"
)

// CustomTag is a key with values that a company gives its own.
type CustomTag struct {
	Key    string   `json:"key" minLength:"1" maxLength:"64"`
	Values []string `json:"values" minItems:"1" maxItems:"20"`
}

// CustomTagOwner says what custom tags belong to; exported like AccountPath.
type CustomTagOwner struct {
	AccountPath
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"The default one where neither is named."`
	License        string `query:"license" maxLength:"1024" doc:"Tag of a license, in place of a virtual account."`
}

func (a *api) customTagsOf(ctx context.Context, owner CustomTagOwner) (satellite.CustomTagsOf, error) {
	if owner.License != "" && owner.VirtualAccount != "" {
		return satellite.CustomTagsOf{}, invalid("query.license: it goes without virtual_account.")
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), owner.Account)
	return satellite.CustomTagsOf{AccountID: account.ID, VirtualAccount: owner.VirtualAccount, License: owner.License}, err
}

func (a *api) listCustomTags(ctx context.Context, in *CustomTagOwner) (*output[List[CustomTag]], error) {
	of, err := a.customTagsOf(ctx, *in)
	if err != nil {
		return nil, err
	}
	tags, err := a.service.CustomTags(ctx, actor(ctx), of)
	return answer(whole(tags, func(t satellite.CustomTag) CustomTag { return CustomTag(t) }), err)
}

type setCustomTagInput struct {
	CustomTagOwner
	Body CustomTag
}

func (a *api) setCustomTag(ctx context.Context, in *setCustomTagInput) (*output[List[CustomTag]], error) {
	of, err := a.customTagsOf(ctx, in.CustomTagOwner)
	if err != nil {
		return nil, err
	}
	if err := a.service.SetCustomTag(ctx, actor(ctx), of, satellite.CustomTag(in.Body)); err != nil {
		return nil, err
	}
	return a.listCustomTags(ctx, &in.CustomTagOwner)
}

type removeCustomTagInput struct {
	CustomTagOwner
	Key string `query:"key" required:"true" minLength:"1" maxLength:"64"`
}

func (a *api) removeCustomTag(ctx context.Context, in *removeCustomTagInput) (*struct{}, error) {
	of, err := a.customTagsOf(ctx, in.CustomTagOwner)
	if err != nil {
		return nil, err
	}
	return nil, a.service.RemoveCustomTag(ctx, actor(ctx), of, in.Key)
}
