"""What the report of a comparison says, in both languages."""

from __future__ import annotations

from wateralloc.report.page.model import Text

WORDS: dict[str, Text] = {
    "title": {"en": "Policies side by side", "vi": "So sánh các cơ chế"},
    "lead": {
        "en": "Basin {basin} · {policies} policies · {members} · {periods} periods, "
        "{first} – {last}",
        "vi": "Lưu vực {basin} · {policies} cơ chế · {members} · {periods} thời "
        "đoạn, {first} – {last}",
    },
    "1 member": {"en": "1 member", "vi": "1 kịch bản thủy văn"},
    "n members": {"en": "{n} members", "vi": "{n} kịch bản thủy văn"},
    "made": {"en": "{source} · made on {day} · reference: {reference}",
             "vi": "{source} · lập ngày {day} · cơ chế làm mốc so sánh: {reference}"},
    "mended": {
        "en": "MENDED: limits gave way in {}; these are not the cases as they are written.",
        "vi": "ĐÃ NỚI: một số giới hạn đã được nới trong {}; đây không phải các trường hợp như đã "
        "viết.",
    },
    # headings
    "summary": {"en": "In short", "vi": "Tóm tắt"},
    "served": {"en": "Who is served", "vi": "Ai được cấp nước"},
    "changes": {"en": "What changes, and for whom", "vi": "Thay đổi gì, và với ai"},
    "trade": {"en": "What goes against what", "vi": "Được cái này, mất cái kia"},
    "members": {"en": "Good years and bad years", "vi": "Năm tốt và năm xấu"},
    "reservoirs": {"en": "Reservoirs", "vi": "Hồ chứa"},
    "rivers": {"en": "Flows of the rivers", "vi": "Lưu lượng các sông"},
    "rules": {"en": "Rules kept and broken", "vi": "Quy tắc được giữ và bị vi phạm"},
    "tables": {"en": "All figures", "vi": "Toàn bộ số liệu"},
    "clauses": {"en": "What differs between the cases", "vi": "Các trường hợp khác nhau ở đâu"},
    "why": {"en": "Which clause made the difference", "vi": "Điều khoản nào tạo ra khác biệt"},
    # in short
    "policy": {"en": "Policy", "vi": "Cơ chế"},
    "what it is": {"en": "What it is", "vi": "Nội dung"},
    "reference": {"en": "reference", "vi": "mốc so sánh"},
    "n policies": {"en": "policies", "vi": "cơ chế"},
    "least deficit": {"en": "least deficit [{unit}]: {policy}",
                      "vi": "thiếu hụt ít nhất [{unit}]: {policy}"},
    "base deficit": {"en": "deficit of the reference, {policy} [{unit}]",
                     "vi": "thiếu hụt của cơ chế làm mốc, {policy} [{unit}]"},
    "most energy": {"en": "most energy [{unit}]: {policy}",
                    "vi": "nhiều điện nhất [{unit}]: {policy}"},
    "least energy": {"en": "least energy [{unit}]: {policy}",
                     "vi": "ít điện nhất [{unit}]: {policy}"},
    "same deficit": {
        "en": "The deficit is the same under every policy: {value} {unit}.",
        "vi": "Thiếu hụt như nhau trong mọi cơ chế: {value} {unit}.",
    },
    "deficits": {
        "en": "The deficit is least under {least} ({low} {unit}) and largest under {most} "
        "({high}); under {reference}, with which the others are compared, it is {base}.",
        "vi": "Thiếu hụt ít nhất với {least} ({low} {unit}), nhiều nhất với {most} ({high}); với "
        "{reference}, cơ chế làm mốc so sánh, là {base}.",
    },
    "region": {
        "en": "{region}: against {reference} the deficit changes by {low} {unit} under {least} to "
        "{high} under {most}.",
        "vi": "{region}: so với {reference}, thiếu hụt thay đổi từ {low} {unit} với {least} đến "
        "{high} với {most}.",
    },
    "front": {
        "en": "By {across} and {up} together, no other policy outdoes (is as good in both as, and "
        "better in one than): {policies}.",
        "vi": "Xét đồng thời {across} và {up}, các cơ chế không bị cơ chế nào khác vượt (tốt bằng "
        "ở cả hai và hơn ở một): {policies}.",
    },
    "worst": {
        "en": "The worst member loses least under {least}: {low} {unit} in {member}; most under "
        "{most}: {high} in {other}.",
        "vi": "Kịch bản xấu nhất thiếu ít nhất với {least}: {low} {unit} trong {member}; nhiều "
        "nhất với {most}: {high} trong {other}.",
    },
    "means": {
        "en": "Sentences and tables are of means over {} members; for charts one of them can be "
        "chosen above.",
        "vi": "Các câu và bảng là trung bình {} kịch bản thủy văn; với các hình có thể chọn một "
        "kịch bản ở trên.",
    },
    "means only": {"en": "All figures are means over {} members.",
                   "vi": "Mọi số liệu là trung bình {} kịch bản thủy văn."},
    "differing": {"en": "Clauses that differ", "vi": "Điều khoản khác"},
    # notes
    "note served": {
        "en": "The axes do not begin at zero. Of each region and sector the policies stand in the "
        "order of the legend.",
        "vi": "Các trục không bắt đầu từ 0. Với mỗi vùng và ngành, các cơ chế theo thứ tự của chú "
        "giải.",
    },
    "note changes": {
        "en": "Orange: the deficit is larger than under {}; blue: smaller. “=”: the goals leave it "
        "open, so it may be none. Places without any change are left out.",
        "vi": "Cam: thiếu hụt lớn hơn so với {}; xanh: nhỏ hơn. “=”: các mục tiêu để ngỏ, nên có "
        "thể không đổi. Nơi không có thay đổi được bỏ qua.",
    },
    "no changes": {"en": "The deficit of no {place} differs from that under {reference}.",
                   "vi": "Không {place} nào có thiếu hụt khác so với {reference}."},
    "province": {"en": "province", "vi": "tỉnh"},
    "region name": {"en": "region", "vi": "vùng"},
    "note trade": {
        "en": "Choose the two measures above the chart. A ring and bold type: no other policy is "
        "as good in both and better in one; the broken line joins these. The axes do not begin at "
        "zero.",
        "vi": "Chọn hai chỉ số ở trên hình. Vòng tròn và chữ đậm: không cơ chế nào khác tốt bằng ở "
        "cả hai và hơn ở một; đường đứt nối các cơ chế này. Các trục không bắt đầu từ 0.",
    },
    "note exceedance": {
        "en": "Each point is a member; the one that is chosen above is larger. Members at the same "
        "place may differ from policy to policy.",
        "vi": "Mỗi điểm là một kịch bản; kịch bản được chọn ở trên được vẽ lớn hơn. Ở cùng vị trí "
        "có thể là các kịch bản khác nhau tùy cơ chế.",
    },
    "note courses": {"en": "Means over the members, whichever is chosen above.",
                     "vi": "Trung bình các kịch bản, dù chọn kịch bản nào ở trên."},
    "note rules": {
        "en": "Share of periods or windows in which a rule is kept, of all members, in percent, "
        "rounded down. Empty: the policy has no such rule. A rule of the same name may ask another "
        "thing elsewhere; see what differs.",
        "vi": "Tỷ lệ thời đoạn giữ được quy tắc, của mọi kịch bản, tính bằng phần trăm, làm tròn "
        "xuống. Ô trống: cơ chế không có quy tắc đó. Quy tắc cùng tên có thể yêu cầu khác nhau; "
        "xem phần khác biệt.",
    },
    "note tables": {
        "en": "In brackets the difference to {}, of percentages in percentage points.",
        "vi": "Trong ngoặc là chênh lệch so với {}; với tỷ lệ phần trăm là điểm phần trăm.",
    },
    "figure": {"en": "Figure", "vi": "Chỉ tiêu"},
    "as table": {"en": "As a table", "vi": "Dạng bảng"},
    "only some": {"en": "The {n} largest of {all}.", "vi": "{n} lớn nhất trong {all}."},
    "n clauses": {"en": "{}: {} clauses differ", "vi": "{}: {} điều khoản khác"},
    "nothing differs": {"en": "{}: nothing differs.", "vi": "{}: không có gì khác."},
    "clause": {"en": "Clause", "vi": "Điều khoản"},
    "change": {"en": "Change", "vi": "Thay đổi"},
    "before": {"en": "Under {}", "vi": "Trong {}"},
    "after": {"en": "Under the policy", "vi": "Trong cơ chế"},
    "part": {"en": "Part", "vi": "Phần"},
    "total": {"en": "Whole change", "vi": "Tổng thay đổi"},
    "why note": {
        "en": "Each clause is given the mean of what it changes over all orders in which clauses "
        "can be taken over (its Shapley value); together they are the whole change.",
        "vi": "Mỗi điều khoản được tính trung bình phần thay đổi do nó tạo ra, qua mọi thứ tự áp "
        "dụng các điều khoản (giá trị Shapley); cộng lại bằng tổng thay đổi.",
    },
    "study only": {
        "en": "Policies are compared as they are modelled: one optimum of each, with the whole "
        "horizon in sight where its case says so.",
        "vi": "Các cơ chế được so sánh như trong mô hình: mỗi cơ chế một phương án tối ưu, biết "
        "trước toàn thời kỳ nếu trường hợp quy định như vậy.",
    },
}  # fmt: skip


def say(key: str, *placed: str, **named: str | Text) -> Text:
    """A text in both languages, with what is named in it put in.

    Parameters
    ----------
    placed, named : what is put in; a named one may be by language
    """
    return {
        lang: text.format(
            *placed, **{k: v if isinstance(v, str) else v[lang] for k, v in named.items()}
        )
        for lang, text in WORDS[key].items()
    }  # fmt: skip
