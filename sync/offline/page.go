package offline

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ssm/satellite/wire"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Languages are those that a page can be written in.
var Languages = []string{"en", "ja"}

// page is what the template shows. Everything from the file is written without
// control characters; the template escapes it.
type page struct {
	Language string
	Words    map[string]string
	Summary  Summary
	Facts    [][2]string
	Kinds    []pageKind
	Total    int64
	Private  []pagePrivate
	Warnings []string
	Says     [][2]string
}

type pageKind struct {
	Name   string
	Count  int64
	Fields string
}

type pagePrivate struct {
	Name, Text string
	Absent     bool
}

// Page writes the summary as one HTML page that needs nothing else, to be
// printed and signed by whoever answers for what leaves a closed zone. An error
// for a language that is none of Languages.
func (s Summary) Page(w io.Writer, language string) error {
	words, known := pageWords[language]
	if !known {
		return fmt.Errorf("a page is written in one of %s, not in %q", strings.Join(Languages, ", "), language)
	}
	p := page{Language: language, Words: words, Summary: s}
	fact := func(word, text string) {
		if text != "" {
			p.Facts = append(p.Facts, [2]string{words[word], printable(text)})
		}
	}
	fact("document", words[string(s.Kind)])
	fact("file", s.File)
	fact("sha256", s.SHA256)
	fact("size", fmt.Sprintf("%d %s", s.Size, words["bytes"]))
	fact("digest", s.Digest)
	fact("satellite", s.SatelliteID)
	fact("account", fmt.Sprintf("%s (%s)", s.Account, s.AccountID))
	fact("settles", fmt.Sprintf("%s / %s", s.SmartAccount, s.VirtualAccount))
	fact("sequence", strings.TrimSpace(fmt.Sprintf("%d %s", s.Sequence, s.Scope)))
	fact("created", s.CreatedAt.UTC().Format(time.RFC3339))
	fact("signer", s.Signature.Signer)
	fact("root", strings.TrimSpace(s.Signature.Root+" "+s.Signature.RootFingerprint))
	fact("signature", words["signature."+signatureState(s)])
	fact("full", s.Reason)
	kinds := slices.Sorted(maps.Keys(s.Records))
	for i, kind := range kinds {
		p.Total += s.Records[kind]
		if i < maxKinds {
			p.Kinds = append(p.Kinds, pageKind{printable(string(kind)), s.Records[kind], printable(strings.Join(s.Fields[kind], ", "))})
		}
	}
	for _, field := range s.Privacy.fields() {
		text := words["found"]
		switch {
		case field.number > 0:
			text = fmt.Sprintf(text, field.number)
		case slices.Contains(s.PrivacyOmits, string(field.kind)):
			text = words["omitted"]
		default:
			text = words["absent"]
		}
		p.Private = append(p.Private, pagePrivate{words[string(field.kind)], text, field.number == 0})
	}
	for _, contradiction := range s.Contradictions() {
		p.Warnings = append(p.Warnings, fmt.Sprintf(words["contradiction"], contradiction))
	}
	if s.FieldsCut || len(kinds) > maxKinds {
		p.Warnings = append(p.Warnings, words["cut"])
	}
	for _, said := range s.Says {
		p.Says = append(p.Says, [2]string{said.Name, printable(said.Text)})
	}
	return pageTemplate.Execute(w, p)
}

// signatureState names what the signature proves.
func signatureState(s Summary) string {
	switch {
	case s.Scope == wire.ScopeRegistration:
		return "registration"
	case s.Signature.RootFingerprint == "":
		return "chain"
	}
	return "root"
}

var pageWords = map[string]map[string]string{
	"en": {
		"title": "What leaves: inspection of a sync file", "document": "Document", "request": "sync request", "response": "sync response",
		"file": "File name", "sha256": "SHA-256 of the file", "size": "Size", "bytes": "bytes", "digest": "Digest of the manifest",
		"satellite": "Satellite", "account": "Account", "settles": "Settles with", "sequence": "Sequence", "created": "Created (UTC)",
		"signer": "Signed by", "root": "Root", "signature": "Signature", "full": "Asks for a full request",
		"signature.registration": "Verified under the key of the certificate request inside: nobody vouches for a registration yet.",
		"signature.chain":        "Verified under the certificate inside, whose chain ends below its root: only who has the root can judge it.",
		"signature.root":         "Verified against the chain inside: compare the fingerprint of the root with the one you know.",
		"contents":               "Contents", "kind": "Kind of record", "count": "Records", "fields": "Fields that occur", "total": "Total",
		"private": "Private details", "hostname": "Host names", "ip_address": "IP addresses", "mac_address": "MAC addresses", "version": "Versions of software and hardware",
		"found": "%d in the file", "omitted": "Left out, as the sender says. None found.", "absent": "None found.", "pseudonyms": "Pseudonyms in place of left-out details",
		"searched":      "The whole file was searched: the manifest and every record, usage reports inside records included. Fields were recognized by name, addresses also by form.",
		"contradiction": "The sender says that it left this out, and it is in the file: %s.", "cut": "There are more kinds or fields than are listed here.",
		"says": "The manifest also says", "limits": "What cannot be told from the file alone",
		"limit.names":   "Names that people chose (accounts, virtual accounts) and license tags are text: whether they give something away, only a person can judge.",
		"limit.encoded": "Digests, signatures, certificates and pseudonyms are not readable; what was encoded on purpose is not found.",
		"limit.true":    "That counts are true, and that the signer is who he says, is for the sender and the root of trust to answer for.",
		"sign":          "Released", "sign.name": "Name", "sign.role": "Function", "sign.date": "Date", "sign.signature": "Signature", "sign.inspected": "Inspected by", "sign.released": "Released by",
	},
	"ja": {
		"title": "持ち出し内容: 同期ファイルの検査", "document": "文書", "request": "同期要求", "response": "同期応答",
		"file": "ファイル名", "sha256": "ファイルの SHA-256", "size": "サイズ", "bytes": "バイト", "digest": "マニフェストのダイジェスト",
		"satellite": "サテライト", "account": "アカウント", "settles": "同期先", "sequence": "シーケンス番号", "created": "作成日時（UTC）",
		"signer": "署名者", "root": "ルート証明書", "signature": "署名", "full": "完全な要求を求める理由",
		"signature.registration": "内部の証明書要求の鍵で検証済み。登録要求のため、送信者を保証する者はまだいません。",
		"signature.chain":        "内部の証明書で検証済み。証明書チェーンにルートが含まれないため、判断にはルート証明書が必要です。",
		"signature.root":         "内部の証明書チェーンで検証済み。ルートのフィンガープリントを既知の値と照合してください。",
		"contents":               "内容", "kind": "レコードの種類", "count": "件数", "fields": "含まれるフィールド", "total": "合計",
		"private": "プライバシーに関わる情報", "hostname": "ホスト名", "ip_address": "IP アドレス", "mac_address": "MAC アドレス", "version": "ソフトウェアとハードウェアのバージョン",
		"found": "%d 件を含みます", "omitted": "設定により除外（送信者の申告）。検出 0 件。", "absent": "検出 0 件。", "pseudonyms": "除外した情報に代わる仮名",
		"searched":      "ファイル全体を検索しました。対象はマニフェストと全レコード（レコード内の使用状況レポートを含む）です。フィールドは名前で、アドレスは形式でも判定しました。",
		"contradiction": "送信者は除外したと申告していますが、ファイルに含まれています: %s。", "cut": "ここに示した以外の種類またはフィールドがあります。",
		"says": "マニフェストのその他の記載", "limits": "ファイルだけでは判断できないこと",
		"limit.names":   "人が付けた名前（アカウント、バーチャルアカウント）とライセンスタグは文字列です。情報を含むかどうかは人が判断する必要があります。",
		"limit.encoded": "ダイジェスト、署名、証明書、仮名は読み取れません。意図的に符号化された情報は検出されません。",
		"limit.true":    "数値の正しさと署名者の身元は、送信者と信頼のルートが保証するものです。",
		"sign":          "持ち出しの承認", "sign.name": "氏名", "sign.role": "役職", "sign.date": "日付", "sign.signature": "署名", "sign.inspected": "検査者", "sign.released": "承認者",
	},
}
