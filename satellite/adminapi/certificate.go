package adminapi

import (
	"bytes"
	"context"
	"encoding/pem"
)

func (a *api) certificateChain(ctx context.Context, in *AccountPath) (*download, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	chain, err := a.service.CertificateChain(ctx, actor(ctx), account.ID)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, der := range chain {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return pemFile("chain.pem", text.Bytes()), nil
}

func (a *api) revocationList(ctx context.Context, in *AccountPath) (*download, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	list, err := a.service.RevocationList(ctx, actor(ctx), account.ID)
	if err != nil {
		return nil, err
	}
	return pemFile("crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})), nil
}
