"""What the report of a result says, in both languages."""

from __future__ import annotations

from wateralloc.report.page.model import Text

WORDS: dict[str, Text] = {
    "case": {"en": "Case", "vi": "Trường hợp"},
    "basin": {"en": "basin", "vi": "lưu vực"},
    "periods": {"en": "periods", "vi": "thời đoạn"},
    "made": {"en": "made on", "vi": "lập ngày"},
    "inputs": {"en": "inputs (SHA-256)", "vi": "dữ liệu đầu vào (SHA-256)"},
    "certificate": {"en": "certificate of the optimum: primal, dual, gap",
                    "vi": "kiểm chứng tối ưu: sai số gốc, đối ngẫu, khoảng cách"},
    "balance": {"en": "largest residual of the water balance",
                "vi": "sai số cân bằng nước lớn nhất"},
    "mended": {"en": "MENDED: limits gave way in this result; it is not the case as it is written.",
               "vi": "ĐÃ NỚI: một số giới hạn đã được nới; kết quả này không phải của trường hợp "
               "như đã viết."},
    # headings
    "summary": {"en": "In short", "vi": "Tóm tắt"},
    "allocation": {"en": "Who got how much", "vi": "Ai được cấp bao nhiêu nước"},
    "basin map": {"en": "The basin", "vi": "Lưu vực"},
    "water": {"en": "Where the water goes", "vi": "Đường đi của nước"},
    "reservoirs": {"en": "Reservoirs", "vi": "Hồ chứa"},
    "rivers": {"en": "Flows and levels of the rivers", "vi": "Lưu lượng và mực nước sông"},
    "duration": {"en": "Flow duration", "vi": "Đường duy trì lưu lượng"},
    "energy": {"en": "Energy", "vi": "Điện lượng"},
    "rules": {"en": "Rules kept and broken", "vi": "Quy tắc được tuân thủ và bị vi phạm"},
    "why": {"en": "Why the worst shortages", "vi": "Vì sao thiếu nước nặng nhất"},
    "metrics": {"en": "Measures of service", "vi": "Các chỉ số bảo đảm cấp nước"},
    "figures": {"en": "What is stated, derived and estimated",
                "vi": "Số liệu có nguồn, số liệu tính ra và số liệu ước tính"},
    "record": {"en": "How it was computed", "vi": "Cách tính toán"},
    # in short
    "asked": {"en": "asked [{unit}]", "vi": "nhu cầu [{unit}]"},
    "given": {"en": "withdrawn [{unit}]", "vi": "lượng lấy [{unit}]"},
    "served": {"en": "of the demand is met", "vi": "nhu cầu được đáp ứng"},
    "lacking": {"en": "lacking [{unit}]", "vi": "thiếu hụt [{unit}]"},
    "produced": {"en": "energy [{unit}]", "vi": "điện lượng [{unit}]"},
    "per year": {"en": "hm³ a year", "vi": "triệu m³/năm"},
    "energy per year": {"en": "GWh a year", "vi": "GWh/năm"},
    "all served": {
        "en": "All users ({users}) are served in full, in every period of {members}.",
        "vi": "Tất cả hộ dùng nước ({users}) được cấp đủ trong mọi thời đoạn của {members}.",
    },
    "some lack": {
        "en": "{users} users ask for {asked} hm³ a year and are given {given}: {share} of it. "
        "{lack} hm³ a year are lacking ({mean}).",
        "vi": "{users} hộ dùng nước cần {asked} triệu m³/năm và được cấp {given}, tức {share}. "
        "Thiếu {lack} triệu m³/năm ({mean}).",
    },
    "mean": {"en": "mean over {}", "vi": "trung bình {}"},
    "n members": {"en": "{} members", "vi": "{} kịch bản thủy văn"},
    "one member": {"en": "one member", "vi": "một kịch bản thủy văn"},
    "worst member": {
        "en": "The worst member is {name}: {lack} hm³ a year are lacking, {share} of the demand. "
        "In {few} of {all} members it is less than 0.1 %.",
        "vi": "Kịch bản bất lợi nhất là {name}: thiếu {lack} triệu m³/năm, bằng {share} nhu cầu. "
        "{few}/{all} kịch bản có mức thiếu dưới 0,1 % nhu cầu.",
    },
    "worst users": {
        "en": "Least served: among sectors {sector} ({sector_share} of its demand), among "
        "provinces {province} ({province_share}).",
        "vi": "Mức đáp ứng thấp nhất theo ngành: {sector} ({sector_share} nhu cầu); theo tỉnh: "
        "{province} ({province_share}).",
    },
    "all kept": {
        "en": "All {all} rules are kept, in all periods of all members.",
        "vi": "Cả {all} quy tắc đều được tuân thủ trong mọi thời đoạn của mọi kịch bản.",
    },
    "rules kept": {
        "en": "Of {all} rules {kept} are kept in all periods of all members.",
        "vi": "Trong {all} quy tắc, {kept} quy tắc được tuân thủ trong mọi thời đoạn của mọi kịch "
        "bản.",
    },
    "rules broken": {"en": "Broken somewhere: {}.", "vi": "Có lúc bị vi phạm: {}."},
    "no rules": {"en": "The case has no rules.", "vi": "Trường hợp này không có quy tắc."},
    # notes
    "note traces": {
        "en": "The bands are the members, the darker one 80 % of them; the line in them is their "
        "median. A member that is chosen above is drawn on top.",
        "vi": "Dải nhạt là phạm vi của tất cả kịch bản thủy văn, dải đậm là của 80 % số kịch bản; "
        "đường giữa là trung vị. Kịch bản được chọn ở đầu trang được vẽ thêm.",
    },
    "note heat": {
        "en": "Over all users of the province; empty cells are served in full. Sums of the months "
        "of all years, so a dry month weighs by its volume.",
        "vi": "Tính chung mọi hộ dùng nước của tỉnh; ô không ghi số là được cấp đủ. Mỗi tháng được "
        "cộng qua các năm, nên tháng khô có trọng số theo lượng nước của nó.",
    },
    "note map": {
        "en": "Links as straight lines, as wide as their flow. Triangles are reservoirs (up) and "
        "headwaters (right), diamonds control points, squares mouths; grey ones have no users.",
        "vi": "Đoạn nối là đường thẳng, dày theo lưu lượng. Tam giác là hồ chứa (lên) và đầu "
        "nguồn (phải), hình thoi là điểm kiểm soát, hình vuông là cửa sông; màu xám là không "
        "có hộ dùng nước.",
    },
    "note water": {
        "en": "Water is taken to be mixed wherever it meets. Of the sectors it is what they use "
        "up; what returns to the rivers goes on.",
        "vi": "Giả thiết nước hòa trộn hoàn toàn ở mỗi nơi gặp nhau. Với các ngành là lượng tiêu "
        "hao; phần hồi quy về sông được tính tiếp.",
    },
    "note energy": {"en": "A mean year, by the month in which a period starts.",
                    "vi": "Năm trung bình; thời đoạn được tính vào tháng mà nó bắt đầu."},
    "only some": {"en": "The {n} largest of {all}; the tables beside this page have all.",
                  "vi": "Chỉ vẽ {n} lớn nhất trong {all}; các bảng kèm trang này có tất cả."},
    "why not": {
        "en": "No explanation is kept with this result. For one: wateralloc report with --explain "
        "3, or wateralloc explain.",
        "vi": "Kết quả này không kèm giải thích. Để có: wateralloc report với --explain 3, hoặc "
        "wateralloc explain.",
    },
    "nobody short": {"en": "Nobody is short.", "vi": "Không hộ nào thiếu nước."},
    "why lead": {
        "en": "The users that lack most, each in the member in which the shortage is largest of "
        "all.",
        "vi": "Các hộ dùng nước thiếu nhiều nhất, mỗi hộ trong kịch bản thủy văn mà hộ đó thiếu "
        "nặng nhất.",
    },
    "as table": {"en": "As a table", "vi": "Dạng bảng"},
    "rules table": {"en": "Rules: how often they were kept, and what they cost",
                    "vi": "Quy tắc: số lần tuân thủ và giá phải trả"},
    "broken table": {"en": "Soft rules that were broken",
                     "vi": "Quy tắc mềm bị vi phạm"},
    "price note": {
        "en": "The shadow price is by how much one unit more of what the rule asks worsens the "
        "first goal that it binds.",
        "vi": "Giá bóng: mục tiêu đầu tiên bị quy tắc ràng buộc xấu đi bao nhiêu khi quy tắc yêu "
        "cầu thêm một đơn vị.",
    },
    "metrics table": {"en": "Measures of service, mean over members",
                      "vi": "Các chỉ số bảo đảm cấp nước, trung bình các kịch bản thủy văn"},
    "metrics note": {
        "en": "Definitions, sources and examples are in the manual, page Metrics.",
        "vi": "Định nghĩa, nguồn và ví dụ có trong tài liệu hướng dẫn, trang Metrics.",
    },
    "of members": {"en": "Mean over members", "vi": "Trung bình các kịch bản"},
    "everyone": {"en": "All users", "vi": "Tất cả hộ dùng nước"},
    "group": {"en": "Users", "vi": "Hộ dùng nước"},
    "volume_reliability": {"en": "Volume met", "vi": "Tỷ lệ lượng nước được cấp"},
    "time_reliability": {"en": "Periods served in full", "vi": "Tỷ lệ thời đoạn được cấp đủ"},
    "resilience": {"en": "Recovery from one period to the next",
                   "vi": "Khả năng phục hồi ở thời đoạn sau"},
    "vulnerability_share": {"en": "Worst deficit of a failure, mean",
                            "vi": "Mức thiếu lớn nhất của mỗi đợt, trung bình"},
    "shortage_index": {"en": "Shortage index (HEC)", "vi": "Chỉ số thiếu nước (HEC)"},
    "sustainability_geometric": {"en": "Sustainability index", "vi": "Chỉ số bền vững"},
    "status lead": {
        "en": "A figure is stated where a source prints it, derived where it is computed from "
        "stated ones, and an estimate where no source was found. In the tables of the basin's "
        "sources, {stated} rows are stated, {derived} derived, {estimate} estimates; {mixed} are "
        "of several kinds.",
        "vi": "Số liệu là “stated” nếu có nguồn ghi, “derived” nếu tính từ số liệu có nguồn, và "
        "“estimate” nếu không tìm thấy nguồn. Trong các bảng nguồn của lưu vực: {stated} dòng có "
        "nguồn, {derived} dòng tính ra, {estimate} dòng ước tính; {mixed} dòng gồm nhiều loại.",
    },
    "no sources": {
        "en": "The basin's page of sources is not at hand, or it has none.",
        "vi": "Không có trang nguồn số liệu của lưu vực.",
    },
    "sources page": {"en": "All figures and their sources", "vi": "Toàn bộ số liệu và nguồn"},
    "rule sources": {"en": "Rules and where they come from", "vi": "Quy tắc và nguồn gốc"},
    "rule": {"en": "Rule", "vi": "Quy tắc"},
    "kind": {"en": "Kind", "vi": "Loại"},
    "source": {"en": "Source", "vi": "Nguồn"},
    "goals": {"en": "Goals in their order, mean over members",
              "vi": "Các mục tiêu theo thứ tự, trung bình các kịch bản"},
    "goal": {"en": "Goal", "vi": "Mục tiêu"},
    "optimum": {"en": "Optimum", "vi": "Giá trị tối ưu"},
    "unit": {"en": "Unit", "vi": "Đơn vị"},
    "files": {"en": "Input files", "vi": "Tệp đầu vào"},
    "file": {"en": "File", "vi": "Tệp"},
    "hash": {"en": "SHA-256", "vi": "SHA-256"},
    "again": {
        "en": "The same inputs give the same numbers: wateralloc verify solves them again.",
        "vi": "Dữ liệu đầu vào như nhau cho cùng kết quả: wateralloc verify tính lại để kiểm tra.",
    },
}  # fmt: skip


def say(key: str, **named: str | Text) -> Text:
    """A text in both languages, with what is named in it put in.

    Parameters
    ----------
    named : a text, or one by language
    """
    return {
        lang: text.format(
            **{k: v if isinstance(v, str) else v[lang] for k, v in named.items()}
        )
        for lang, text in WORDS[key].items()
    }  # fmt: skip
